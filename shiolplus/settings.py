"""Settings, all from the environment; a bad value stops the start with its name and what is allowed.

Every variable is explained in the README under "Settings". The queue's figures were measured together:
`retry` must exceed (1 + ceil((queue_limit + bulk) / workers)) * (timeout + 3).
"""

import secrets
import sys
from datetime import time, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from environs import Env, EnvError, validate

from shiolplus.file_permissions import make_directory, restrict_umask
from shiolplus.secret_key import SecretKeyError, read_secret_key
from shiolplus.web.security_headers import NONE, SELF, Policy
from shiolplus.web.static_version import static_version
from shiolplus.web.trusted_proxies import SCHEME_KEY, parse_peers

WAL_BYTES = 8_000_000  # of SQLite's write-ahead log, once no reader needs more; checkpoints begin at 4 MB
BASE_DIR = Path(__file__).resolve().parent.parent
env = Env()


def _read_secret_key(key_file: Path) -> str:
    """Return SHIOL_SECRET_KEY, else the content of the file that `manage.py init` wrote."""
    if key := env.str("SHIOL_SECRET_KEY", ""):
        return key
    try:
        return read_secret_key(key_file)
    except FileNotFoundError:
        pass
    except SecretKeyError as error:
        raise ImproperlyConfigured(str(error)) from error
    if sys.argv[1:2] == ["init"]:  # the one command that runs before there is a key, since it makes it
        return secrets.token_urlsafe(50)
    raise ImproperlyConfigured(
        f"There is no secret key: run `python manage.py init`, which writes {key_file}, "
        "or set SHIOL_SECRET_KEY."
    )


# A host that vanished is given up after 20 s; by the system's own rules, after 15 minutes to 2 hours.
_vanished_host = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # milliseconds
}


def _tune(database: dict[str, Any], pool: int) -> dict[str, Any]:
    """Add what each engine needs for many writers and for its own absence; what the URL says wins."""
    database["CONN_MAX_AGE"] = database.get("CONN_MAX_AGE") or 600
    ours: dict[str, Any] = {}
    if database["ENGINE"] == "django.db.backends.sqlite3":
        ours = {  # measured without them, 92 of 500 tasks met "database is locked"
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; "
            f"PRAGMA journal_size_limit={WAL_BYTES};",
        }
        # A file, so that a cluster in another process can share the tests' database.
        database["TEST"] = {"NAME": str(VAR / "test.sqlite3")}
    else:
        database["CONN_HEALTH_CHECKS"] = True
        ours = dict(_vanished_host)
        if pool:
            database["CONN_MAX_AGE"] = 0  # each request gives its connection back
            # After `reconnect_timeout` the next request tries at once; the pool's own tries come ever later.
            ours["pool"] = {"min_size": 1, "max_size": pool, "timeout": 5, "reconnect_timeout": 5}
    database["OPTIONS"] = ours | database.get("OPTIONS", {})
    return database


def _cache(url: str) -> dict[str, Any]:
    """The default cache; ValueError for a Redis address of which a part would be guessed."""
    cache: dict[str, Any] = {"KEY_PREFIX": "shiolplus"} | env.dj_cache_url("CACHE_URL", url)
    if "redis" in cache["BACKEND"]:
        address = urlsplit(url)
        if not address.hostname or not address.path.strip("/").isdecimal():
            raise ValueError('"CACHE_URL": allowed is redis://[user:password@]host[:port]/number')
        cache["LOCATION"] = address._replace(query="").geturl()  # the parser drops a user and breaks IPv6
        cache["OPTIONS"] = {"socket_connect_timeout": 1, "socket_timeout": 1}  # seconds
    if "locmem" in cache["BACKEND"]:
        cache["OPTIONS"] = {"MAX_ENTRIES": 100_000}  # of addresses that ask; at 300 their counts get lost
    return cache


try:
    VAR = Path(env.str("SHIOL_VAR", str(BASE_DIR / "var"))).resolve()
    DEBUG = env.bool("SHIOL_DEBUG", False)
    _loopback = ["localhost", "127.0.0.1", "[::1]"]
    ALLOWED_HOSTS = env.list("SHIOL_ALLOWED_HOSTS", _loopback)
    _public = sorted(set(ALLOWED_HOSTS) - set(_loopback))
    HTTPS = env.bool("SHIOL_HTTPS", bool(_public))
    TRUSTED_PROXIES = parse_peers("SHIOL_TRUSTED_PROXIES", env.list("SHIOL_TRUSTED_PROXIES", []))
    METRICS_FROM = parse_peers("SHIOL_METRICS_FROM", env.list("SHIOL_METRICS_FROM", ["127.0.0.0/8", "::1"]))
    # Connections of this process at once on PostgreSQL, 0 for one that stays. The web's entry points set it:
    # a pool's threads do not survive a fork, and a cluster forks its workers.
    _pool = env.int("SHIOL_DB_POOL", 0, validate=validate.Range(min=0, max=100))
    _database = env.dj_db_url("DATABASE_URL", f"sqlite:///{VAR / 'db.sqlite3'}")
    DATABASES = {"default": _tune(_database, _pool)}
    CACHES: dict[str, dict[str, Any]] = {"default": _cache(env.str("CACHE_URL", "locmem://"))}
    DRAWS_SOURCE = env.str(
        "SHIOL_DRAWS_SOURCE", "ny", validate=validate.OneOf(["ny", "texas", "bundled", "none"])
    )
    _on_sqlite = DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3"
    FIT_PROCESSES = env.int("SHIOL_FIT_PROCESSES", 2, validate=validate.Range(min=1, max=64))
    KEEP_MODELS = env.int("SHIOL_KEEP_MODELS", 5, validate=validate.Range(min=1, max=10_000))
    _hybrid_share = env.float(
        "SHIOL_HYBRID_V2_SHARE",
        0.7,
        validate=validate.Range(min=0, max=1, min_inclusive=False, max_inclusive=False),
    )
    CLAIM_KEEP_DAYS = env.int("SHIOL_CLAIM_KEEP_DAYS", 90, validate=validate.Range(min=1, max=36_500))
    LEASE_SECONDS = env.int("SHIOL_LEASE_SECONDS", 60, validate=validate.Range(min=2, max=3600))
    # New York's time; never after the draw itself.
    SALES_CUTOFF = env.time("SHIOL_SALES_CUTOFF", time(21, 59), validate=validate.Range(max=time(22, 59)))
    ANSWER_SECONDS = env.float("SHIOL_ANSWER_SECONDS", 1.0, validate=validate.Range(min=0, max=1))
    ANONYMOUS_RATE = env.int("SHIOL_ANONYMOUS_RATE", 6000, validate=validate.Range(min=1, max=10_000_000))
    LOG_FORMAT = env.str("SHIOL_LOG_FORMAT", "console", validate=validate.OneOf(["console", "json"]))
    WORKERS = env.int("SHIOL_WORKERS", 1 if _on_sqlite else 2, validate=validate.Range(min=1, max=64))
except (EnvError, ValueError) as error:
    raise ImproperlyConfigured(f"A bad value in the environment: {error}") from error

restrict_umask()  # before anything creates a file; child processes inherit it
try:
    make_directory(VAR / "logs")
except OSError as error:
    raise ImproperlyConfigured(f"SHIOL_VAR: the folder {VAR} cannot be made: {error.strerror}.") from error

SECRET_KEY = _read_secret_key(VAR / "secret-key")

INSTALLED_APPS = [
    "shiolplus.apps.SiteConfig",  # django.contrib.admin
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework_api_key",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_q",
    "predictions",
    "tickets",
    "shiolplus.adminsite",
    "shiolplus.apps.SignInsConfig",
    "shiolplus.apps.ShiolplusConfig",
]

MIDDLEWARE = [
    "shiolplus.logs.filters.RequestIdMiddleware",
    "shiolplus.web.security_headers.HeadersMiddleware",
    # Before whatever asks for the client's address, or for TLS.
    "shiolplus.web.trusted_proxies.TrustedProxies",
    "tickets.api.problems.ProblemJsonMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "tickets.api.middleware.RateLimitHeadersMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "shiolplus.web.page_middleware.PageSessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "shiolplus.web.page_middleware.PageCsrfMiddleware",
    "shiolplus.web.page_middleware.PageAuthMiddleware",
    "shiolplus.web.page_middleware.PageMessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",  # reads one attribute of the request, so the API need not skip it
]

# Who serves a name over TLS is seldom this process: a proxy says so in X-Forwarded-Proto, if it is trusted.
SECURE_PROXY_SSL_HEADER = (SCHEME_KEY, "https")
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
# Who asks for these speaks to this process itself, by its address and without TLS.
SECURE_REDIRECT_EXEMPT = ["^healthz$", "^readyz$", "^metrics$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0

# What `check --deploy` need not say:
SILENCED_SYSTEM_CHECKS = [
    "security.W003",  # the CSRF middleware is there: shiolplus.web.page_middleware.PageCsrfMiddleware
    # For its own name only: a host must not bind its neighbours, and no browser forgets within a year.
    *("security.W005", "security.W021"),
]
if not (HTTPS or _public):
    # Served to this machine alone, whose loopback nobody taps and where no TLS would find a certificate.
    SILENCED_SYSTEM_CHECKS += [f"security.{one}" for one in ("W004", "W008", "W010", "W012", "W016")]

# Nothing from elsewhere, nothing inline, and no page of ours inside another's.
SECURE_CSP: Policy = {
    "default-src": [SELF],
    "base-uri": [NONE],
    "form-action": [SELF],
    "frame-ancestors": [NONE],
    "object-src": [NONE],
}
# The directives that are otherwise below a path: Swagger's style sheet has pictures inside.
SECURE_CSP_PATHS: dict[str, Policy] = {"/api/docs": {"img-src": [SELF, "data:"]}}
PERMISSIONS_POLICY = "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"

ROOT_URLCONF = "shiolplus.urls"
WSGI_APPLICATION = "shiolplus.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "shiolplus" / "templates"],  # over those of the admin, which they extend
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
AUTHENTICATION_BACKENDS = ["shiolplus.web.sign_in.SignInLimit", "django.contrib.auth.backends.ModelBackend"]
# Per user name and address: locking the name alone would let an outsider lock out the only administrator.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=5)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # else whoever tries on is locked out for ever
AXES_RESET_ON_SUCCESS = True
AXES_ENABLE_ACCESS_FAILURE_LOG = True  # the counts themselves are deleted when the lock-out ends
AXES_HANDLER = "axes.handlers.database.AxesDatabaseHandler"  # works while the cache is unreachable
AXES_USERNAME_CALLABLE = "shiolplus.web.sign_in.client_username"
AXES_CLIENT_IP_CALLABLE = "shiolplus.web.sign_in.client_address"
AXES_LOCKOUT_CALLABLE = "shiolplus.web.sign_in.locked_out"
AXES_ENABLE_ADMIN = False  # shiolplus.adminsite.admin shows them read-only
AXES_VERBOSE = False

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/" if DEBUG else f"static/{static_version(BASE_DIR)}/"
WHITENOISE_USE_FINDERS = True  # the admin's files are served without a collectstatic step
if not DEBUG:
    WHITENOISE_IMMUTABLE_FILE_TEST = f"^/{STATIC_URL}"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["tickets.api.authentication.ApiKeyAuthentication"],
    "DEFAULT_THROTTLE_CLASSES": ["tickets.api.throttling.ClientRateThrottle"],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["tickets.api.parsers.StrictJSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "tickets.api.negotiation.JsonNegotiation",
    "DEFAULT_SCHEMA_CLASS": "tickets.api.schema.ApiSchema",
    "DEFAULT_METADATA_CLASS": "tickets.api.metadata.OptionsMetadata",
    "EXCEPTION_HANDLER": "tickets.api.problems.problem_from_exception",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
}

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "SHIOL+ batch tickets",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api(/v1)?",
    "TAGS": [
        {"name": "tickets", "description": "The stock that all see."},
        {"name": "claims", "description": "Tickets of one's own, and how many there may be."},
        {"name": "draws", "description": "Official draws, and what was won in them."},
        {"name": "generation-runs", "description": "How the stock came about."},
        {"name": "modes", "description": "What makes tickets, and what it was worth."},
        {"name": "schema", "description": "This document."},
    ],
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "ModeName": "predictions.modes.registry.MODE_NAMES",
        "RunState": "tickets.models.GenerationRun.Status",
        "BatchState": "tickets.models.TicketBatch.Status",
        "Origin": "tickets.models.Origin",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "tickets.api.schema.add_components",
    ],
}

# What each process counts and keeps for itself.
CACHES["memory"] = {
    "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
    "LOCATION": "memory",
    "OPTIONS": {"MAX_ENTRIES": 100_000},
}
# The status of live clusters must be seen by other processes, so it lives in files.
CACHES["queue"] = {
    "BACKEND": "predictions.workqueue.heartbeats.HeartbeatCache",
    "LOCATION": str(VAR / "queue-status"),
}

Q_CLUSTER: dict[str, Any] = {
    "name": "shiolplus",  # also the salt that signs tasks: never changed
    "broker_class": "predictions.workqueue.broker.QueueBroker",
    "orm": "default",  # the models' own database, so a task is enqueued with the commit that needs it
    "cache": "queue",
    "workers": WORKERS,
    "queue_limit": 1,
    "bulk": 1,
    "timeout": 120,
    "retry": 600,
    "ack_failures": True,
    "max_attempts": 1,
    "recycle": 50,
    "save_limit": 0,  # a positive limit reads, then deletes, on each result
    "guard_cycle": 0.5,  # the hard timeout tests for exactly zero: other values miss it
    "poll": 0.5,
    "catch_up": False,
    # One bad row stops it, silently, for all: tickets.cluster.scheduler sends what is due.
    "scheduler": False,
    "ALT_CLUSTERS": {
        # Pipelines and fits. Served by a cluster started with Q_CLUSTER_NAME=heavy.
        # Fits are child processes, so its worker does not grow; one that is being replaced delays a drain.
        "heavy": {"workers": 1, "queue_limit": 1, "timeout": 1800, "retry": 6000},
    },
}

MODE_PARAMETERS = {"hybrid": {"v2_share": _hybrid_share}}  # beside each mode's own defaults
FIT_TIME_LIMIT = 600  # seconds one fit may take before its process is killed
MODELS_DIR = VAR / "models"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "console": {
            "()": "shiolplus.logs.line_formatter.LineFormatter",
            "format": "{asctime} {levelname:7} {name}{ids}: {message}",
            "style": "{",
        },
        "json": {"()": "shiolplus.logs.json_formatter.JsonFormatter"},
    },
    "filters": {
        "ids": {"()": "shiolplus.logs.filters.ContextFilter"},
        "refusals": {"()": "shiolplus.logs.filters.SecurityTracebackFilter"},
        "outages": {"()": "shiolplus.logs.outages.OutageFilter"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": LOG_FORMAT,
            "filters": ["ids", "refusals", "outages"],
        },
        "file": {
            # Web workers, cluster workers and commands share the file: a lock keeps its rotation whole.
            "class": "shiolplus.logs.outages.LogFile",
            "filename": VAR / "logs" / "shiol.log",
            "maxBytes": 10_000_000,
            "backupCount": 5,
            "chmod": 0o600,  # of its lock file too, which it would otherwise create executable
            "encoding": "utf-8",
            "formatter": LOG_FORMAT,
            "filters": ["ids", "refusals", "outages"],
        },
    },
    "root": {"handlers": ["console", "file"], "level": "WARNING"},
    "loggers": {
        "predictions": {"level": "INFO"},
        "tickets": {"level": "INFO"},
        "django-q": {"level": "WARNING"},  # a canary every few seconds would fill the log
        "gunicorn.http.wsgi": {"level": "ERROR"},  # it warns of each HEAD, whose body Django leaves to it
        "urllib3": {"level": "ERROR"},  # it warns of each retry; what comes of them is reported once
    },
}
