"""WSGI entry point."""

import os
from importlib import import_module

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from shiolplus.web.request_classes import TolerantWSGIRequest

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shiolplus.settings")
os.environ.setdefault("SHIOL_DB_POOL", "8")  # web processes only
django = get_wsgi_application()
django.request_class = TolerantWSGIRequest
# Import the views at startup: otherwise the first request is slow and meets any import error.
import_module(settings.ROOT_URLCONF)

from shiolplus.web.fast_path import CachedTicketsFastPath  # noqa: E402 - needs loaded settings
from tickets.api.response_cache import enable_cache  # noqa: E402

application = CachedTicketsFastPath(django)
enable_cache()
