"""ASGI entry point."""

import os

from django.core.asgi import get_asgi_application

from shiolplus.web.request_classes import AsyncWebRequest

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shiolplus.settings")
os.environ.setdefault("SHIOL_DB_POOL", "8")  # web processes only
application = get_asgi_application()
application.request_class = AsyncWebRequest

from tickets.api.response_cache import enable_cache  # noqa: E402 - needs loaded settings

enable_cache()
