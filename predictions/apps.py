"""App configuration of predictions."""

from django.apps import AppConfig


class PredictionsConfig(AppConfig):
    name = "predictions"
    verbose_name = "Draws and predictions"

    def ready(self) -> None:
        from predictions.workqueue import clusters

        clusters.connect()
