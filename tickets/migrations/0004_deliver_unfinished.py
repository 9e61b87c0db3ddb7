from django.db import migrations
from django.utils import timezone

MODES = ["random_forest", "lstm", "v1", "v2", "hybrid"]


def deliver(apps, schema_editor):
    """Let what an earlier version left unfinished be taken up again; give each mode its policy to edit."""
    TicketBatch = apps.get_model("tickets", "TicketBatch")
    TicketBatch.objects.filter(status__in=["queued", "running"]).update(deliver_by=timezone.now())
    ModePolicy = apps.get_model("tickets", "ModePolicy")
    ModePolicy.objects.bulk_create(ModePolicy(mode=mode) for mode in MODES)


class Migration(migrations.Migration):
    dependencies = [("tickets", "0003_leases_and_policies")]

    operations = [migrations.RunPython(deliver, migrations.RunPython.noop)]
