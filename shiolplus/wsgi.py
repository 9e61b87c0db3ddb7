"""The WSGI entry point for a web server."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shiolplus.settings")
os.environ.setdefault("SHIOL_DB_POOL", "8")  # connections its threads share; only a web process has them
application = get_wsgi_application()

from tickets.api.answers import start  # noqa: E402 - it needs the settings, which are read above

start()
