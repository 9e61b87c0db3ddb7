from django.db import migrations
from django.utils import timezone


def deliver(apps, schema_editor):
    """Let what an earlier version left unfinished be taken up again."""
    PipelineRun = apps.get_model("predictions", "PipelineRun")
    PipelineRun.objects.filter(status="running").update(deliver_by=timezone.now())


class Migration(migrations.Migration):
    dependencies = [("predictions", "0005_leases")]

    operations = [migrations.RunPython(deliver, migrations.RunPython.noop)]
