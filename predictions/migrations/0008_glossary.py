"""Rename columns and one model to the terms of the glossary in docs/architecture.md."""

import django.db.models.deletion
from django.db import migrations, models


def rename_permissions(apps, schema_editor):
    """Groups and users keep their permissions under the new name of the model."""
    permissions = apps.get_model("auth", "Permission").objects.using(schema_editor.connection.alias)
    for permission in permissions.filter(
        content_type__app_label="predictions", codename__endswith="_backteststretch"
    ):
        permission.codename = permission.codename.replace("_backteststretch", "_backtestfold")
        permission.name = permission.name.replace("backtest stretch", "backtest fold")
        permission.save()


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("predictions", "0007_held_models_and_requests"),
    ]

    operations = [
        migrations.RemoveConstraint("trainedmodel", "held_model_is_active"),
        migrations.RenameField("trainedmodel", "held", "pinned"),
        migrations.RenameField("trainedmodel", "file_kept", "file_retained"),
        migrations.AddConstraint(
            "trainedmodel",
            models.CheckConstraint(
                name="pinned_model_is_active",
                condition=models.Q(("pinned", False), ("active", True), _connector="OR"),
            ),
        ),
        migrations.RenameField("pipelinerun", "deliver_by", "redeliver_after"),
        migrations.RenameField("training", "deliver_by", "redeliver_after"),
        migrations.RenameField("cluster", "key_print", "key_fingerprint"),
        migrations.RenameField("cluster", "sign_at", "last_heartbeat_at"),
        migrations.RenameModel("BacktestStretch", "BacktestFold"),
        migrations.AlterModelOptions(
            "backtestfold",
            {"ordering": ["backtest", "mode", "first"], "verbose_name_plural": "backtest folds"},
        ),
        migrations.AlterField(
            "backtestfold",
            "backtest",
            models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="folds",
                to="predictions.backtest",
            ),
        ),
        migrations.AlterField(
            "backtestfold",
            "seconds",
            models.FloatField(help_text="Of the fold's process, imports included."),
        ),
        migrations.RemoveConstraint("backtestfold", "one_stretch_a_mode_and_draw"),
        migrations.AddConstraint(
            "backtestfold",
            models.UniqueConstraint(
                fields=("backtest", "mode", "first"), name="one_fold_per_mode_and_draw"
            ),
        ),
        migrations.RunPython(rename_permissions, migrations.RunPython.noop),
    ]
