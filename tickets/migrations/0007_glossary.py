"""Rename fields and one model to the terms of the glossary in docs/architecture.md.

The columns of claims and their hours keep their names: raw SQL and other programs read them.
"""

from django.db import migrations, models


def rename_permissions(apps, schema_editor):
    """Groups and users keep their permissions under the new name of the model."""
    permissions = apps.get_model("auth", "Permission").objects.using(schema_editor.connection.alias)
    for permission in permissions.filter(
        content_type__app_label="tickets", codename__endswith="_clientday"
    ):
        permission.codename = permission.codename.replace("_clientday", "_quotausage")
        permission.name = permission.name.replace("client day", "quota usage")
        permission.save()


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("predictions", "0008_glossary"),
        ("tickets", "0006_replaced_batches_and_requests"),
    ]

    operations = [
        migrations.RenameField("ticketbatch", "deliver_by", "redeliver_after"),
        migrations.AlterField("claim", "origins", models.JSONField(default=list, db_column="origins")),
        migrations.RenameField("claim", "origins", "ticket_details"),
        migrations.AlterField(
            "claim",
            "ticket_details",
            models.JSONField(
                db_column="origins",
                default=list,
                help_text="[[confidence, strategy, created_at, pipeline_run_id], ...], as the numbers.",
            ),
        ),
        migrations.RemoveConstraint("claimhour", "one_row_an_hour_and_slot"),
        migrations.AlterField("claimhour", "slot", models.PositiveSmallIntegerField(db_column="slot")),
        migrations.RenameField("claimhour", "slot", "shard"),
        migrations.AlterField(
            "claimhour", "short", models.PositiveIntegerField(default=0, db_column="short")
        ),
        migrations.RenameField("claimhour", "short", "refused"),
        migrations.AlterField(
            "claimhour",
            "refused",
            models.PositiveIntegerField(
                db_column="short",
                default=0,
                help_text="Claims refused because too few tickets were in stock.",
            ),
        ),
        migrations.AddConstraint(
            "claimhour",
            models.UniqueConstraint(
                fields=("draw_date", "mode", "hour", "shard"), name="one_row_per_hour_and_shard"
            ),
        ),
        migrations.RenameModel("ClientDay", "QuotaUsage"),
        migrations.RunPython(rename_permissions, migrations.RunPython.noop),
    ]
