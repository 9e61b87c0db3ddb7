"""The WSGI entry point for a web server."""

import os
from importlib import import_module

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from shiolplus.web.request_classes import TolerantWSGIRequest

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shiolplus.settings")
os.environ.setdefault("SHIOL_DB_POOL", "8")  # connections its threads share; only a web process has them
django = get_wsgi_application()
django.request_class = TolerantWSGIRequest
# Else it is the first request that loads the views and waits, and that meets what is broken in them.
import_module(settings.ROOT_URLCONF)

from shiolplus.web.fast_path import CachedTicketsFastPath  # noqa: E402 - it needs the settings, which are read above
from tickets.api.response_cache import enable  # noqa: E402

application = CachedTicketsFastPath(django)
enable()
