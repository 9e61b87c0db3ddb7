"""App configurations."""

from axes.apps import AppConfig as AxesConfig
from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class SiteConfig(AdminConfig):
    default_site = "shiolplus.adminsite.site.Site"


class ShiolplusConfig(AppConfig):
    name = "shiolplus"

    def ready(self) -> None:
        from shiolplus import file_permissions  # registers its system check

        file_permissions.tighten_installation()


class SignInsConfig(AxesConfig):
    verbose_name = "Sign-ins"
