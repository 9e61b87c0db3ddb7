"""The project itself as an app without models, and the name under which the admin shows django-axes."""

from axes.apps import AppConfig as AxesConfig
from django.apps import AppConfig


class ShiolplusConfig(AppConfig):
    name = "shiolplus"

    def ready(self) -> None:
        from shiolplus import file_permissions  # importing it registers its system check

        file_permissions.tighten_installation()


class SignInsConfig(AxesConfig):
    verbose_name = "Sign-ins"
