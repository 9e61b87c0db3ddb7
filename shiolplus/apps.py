"""The configuration of Django's admin, which names our site as the default one."""

from django.contrib.admin.apps import AdminConfig


class SiteConfig(AdminConfig):
    default_site = "shiolplus.admin_site.Site"
