"""The app's registration, and the signs that its clusters give."""

from django.apps import AppConfig


class PredictionsConfig(AppConfig):
    name = "predictions"
    verbose_name = "Draws and predictions"

    def ready(self) -> None:
        from predictions.workqueue import clusters

        clusters.connect()
