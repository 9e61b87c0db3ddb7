"""The ASGI entry point for a web server."""

import os

from django.core.asgi import get_asgi_application

from shiolplus.web.request_classes import AsyncWebRequest

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shiolplus.settings")
os.environ.setdefault("SHIOL_DB_POOL", "8")  # connections its threads share; only a web process has them
application = get_asgi_application()
application.request_class = AsyncWebRequest

from tickets.api.response_cache import enable  # noqa: E402 - it needs the settings, which are read above

enable()
