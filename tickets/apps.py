from django.apps import AppConfig


class TicketsConfig(AppConfig):
    name = "tickets"
    verbose_name = "Tickets"

    def ready(self) -> None:
        from tickets import checks, groups, receivers  # noqa: F401 - importing checks registers them
        from tickets.scoring import draw_dependents

        receivers.connect()
        draw_dependents.register()
        groups.connect(self)
