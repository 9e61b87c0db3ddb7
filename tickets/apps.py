"""The app's registration, the signals it listens to, and its checks."""

from django.apps import AppConfig


class TicketsConfig(AppConfig):
    name = "tickets"
    verbose_name = "Tickets"

    def ready(self) -> None:
        from tickets import checks, draw_dependents, groups, receivers  # noqa: F401 - importing the checks registers them

        receivers.connect()
        draw_dependents.register()
        groups.connect(self)
