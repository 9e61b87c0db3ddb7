"""The app's registration, and the one signal it listens to."""

from django.apps import AppConfig


class TicketsConfig(AppConfig):
    name = "tickets"
    verbose_name = "Tickets"

    def ready(self) -> None:
        from tickets import receivers

        receivers.connect()
