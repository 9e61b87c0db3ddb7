"""Django settings. docs/configuration.md describes the environment variables."""

from datetime import time, timedelta
from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from environs import Env, EnvError, validate

from shiolplus.databases import SQLITE, tune_cache, tune_database
from shiolplus.file_permissions import make_directory, restrict_umask
from shiolplus.secret_key import read_secret_key
from shiolplus.web.static_version import static_version
from shiolplus.web.trusted_proxies import SCHEME_KEY, parse_peers

WAL_BYTES = 8_000_000  # size limit of SQLite's write-ahead log; automatic checkpoints start at 4 MB
BASE_DIR = Path(__file__).resolve().parent.parent
env = Env()

try:
    VAR = Path(env.str("SHIOL_VAR", str(BASE_DIR / "var"))).resolve()
    DEBUG = env.bool("SHIOL_DEBUG", False)
    _loopback = ["localhost", "127.0.0.1", "[::1]"]
    ALLOWED_HOSTS = env.list("SHIOL_ALLOWED_HOSTS", _loopback)
    _public = sorted(set(ALLOWED_HOSTS) - set(_loopback))
    HTTPS = env.bool("SHIOL_HTTPS", bool(_public))
    TRUSTED_PROXIES = parse_peers("SHIOL_TRUSTED_PROXIES", env.list("SHIOL_TRUSTED_PROXIES", []))
    METRICS_FROM = parse_peers("SHIOL_METRICS_FROM", env.list("SHIOL_METRICS_FROM", ["127.0.0.0/8", "::1"]))
    # Connections per process to PostgreSQL; 0 disables the pool. Only the web entry points set it: threads of
    # a pool do not survive the fork of a cluster's workers.
    _pool_size = env.int("SHIOL_DB_POOL", 0, validate=validate.Range(min=0, max=100))
    DATABASES = {"default": env.dj_db_url("DATABASE_URL", f"sqlite:///{VAR / 'db.sqlite3'}")}
    tune_database(DATABASES["default"], _pool_size, WAL_BYTES, VAR / "test.sqlite3")
    CACHES: dict[str, dict[str, Any]] = {"default": env.dj_cache_url("CACHE_URL", "locmem://")}
    tune_cache(CACHES["default"], env.str("CACHE_URL", "locmem://"))
    DRAWS_SOURCE = env.str(
        "SHIOL_DRAWS_SOURCE", "ny", validate=validate.OneOf(["ny", "texas", "bundled", "none"])
    )
    FIT_PROCESSES = env.int("SHIOL_FIT_PROCESSES", 2, validate=validate.Range(min=1, max=64))
    KEEP_MODELS = env.int("SHIOL_KEEP_MODELS", 5, validate=validate.Range(min=1, max=10_000))
    _inner_share = validate.Range(min=0, max=1, min_inclusive=False, max_inclusive=False)
    _hybrid_share = env.float("SHIOL_HYBRID_V2_SHARE", 0.7, validate=_inner_share)
    CLAIM_KEEP_DAYS = env.int("SHIOL_CLAIM_KEEP_DAYS", 90, validate=validate.Range(min=1, max=36_500))
    LEASE_SECONDS = env.int("SHIOL_LEASE_SECONDS", 60, validate=validate.Range(min=2, max=3600))
    # New York time, at the latest the time of the draw.
    SALES_CUTOFF = env.time("SHIOL_SALES_CUTOFF", time(21, 59), validate=validate.Range(max=time(22, 59)))
    ANSWER_SECONDS = env.float("SHIOL_ANSWER_SECONDS", 1.0, validate=validate.Range(min=0, max=1))
    ANONYMOUS_RATE = env.int("SHIOL_ANONYMOUS_RATE", 6000, validate=validate.Range(min=1, max=10_000_000))
    LOG_FORMAT = env.str("SHIOL_LOG_FORMAT", "console", validate=validate.OneOf(["console", "json"]))
    _default_workers = 1 if DATABASES["default"]["ENGINE"] == SQLITE else 2
    WORKERS = env.int("SHIOL_WORKERS", _default_workers, validate=validate.Range(min=1, max=64))
except (EnvError, ValueError) as error:
    raise ImproperlyConfigured(f"Invalid environment variable: {error}") from error

restrict_umask()  # before any file is created; child processes inherit it
try:
    make_directory(VAR / "logs")
except OSError as error:
    raise ImproperlyConfigured(f"SHIOL_VAR: the folder {VAR} cannot be created: {error.strerror}.") from error

SECRET_KEY = env.str("SHIOL_SECRET_KEY", "") or read_secret_key(VAR / "secret-key")

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
    "csp.middleware.CSPMiddleware",
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "tickets.api.problems.ProblemJsonMiddleware",  # outside all that may refuse a request
    # Before any middleware that reads the client's IP address or scheme.
    "shiolplus.web.trusted_proxies.TrustedProxies",
    "django.middleware.security.SecurityMiddleware",
    "tickets.api.throttling.RateLimitHeadersMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "shiolplus.web.page_middleware.PageSessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "shiolplus.web.page_middleware.PageCsrfMiddleware",
    "shiolplus.web.page_middleware.PageAuthMiddleware",
    "shiolplus.web.page_middleware.PageMessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

# Set by TrustedProxies from the headers of a trusted proxy.
SECURE_PROXY_SSL_HEADER = (SCHEME_KEY, "https")
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
# Monitors request these from this process without TLS.
SECURE_REDIRECT_EXEMPT = ["^healthz$", "^readyz$", "^metrics$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0

SILENCED_SYSTEM_CHECKS = [
    "security.W003",  # PageCsrfMiddleware replaces it
    # HSTS must not bind other hosts of the domain, and preloading is hard to revoke.
    *("security.W005", "security.W021"),
]
if not (HTTPS or _public):
    # TLS is not needed on the loopback interface.
    SILENCED_SYSTEM_CHECKS += [f"security.{check}" for check in ("W004", "W008", "W010", "W012", "W016")]

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}
PERMISSIONS_POLICY: dict[str, list[str]] = {
    feature: [] for feature in ("camera", "display-capture", "geolocation", "microphone", "payment", "usb")
}

ROOT_URLCONF = "shiolplus.urls"
WSGI_APPLICATION = "shiolplus.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "shiolplus" / "templates"],
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
# Locking by name alone would let an outsider lock out the only administrator.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=5)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # further attempts would extend it forever
AXES_RESET_ON_SUCCESS = True
AXES_ENABLE_ACCESS_FAILURE_LOG = True  # the counts are deleted when the lock-out ends
AXES_HANDLER = "axes.handlers.database.AxesDatabaseHandler"  # works while the cache is unavailable
AXES_USERNAME_CALLABLE = "shiolplus.web.sign_in.client_username"
AXES_CLIENT_IP_CALLABLE = "shiolplus.web.sign_in.client_address"
AXES_LOCKOUT_CALLABLE = "shiolplus.web.sign_in.locked_out"
AXES_ENABLE_ADMIN = False  # registered read-only in shiolplus.adminsite.admin
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
WHITENOISE_USE_FINDERS = True  # no collectstatic step
if not DEBUG:
    WHITENOISE_IMMUTABLE_FILE_TEST = f"^/{STATIC_URL}"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["tickets.api.authentication.ApiKeyAuthentication"],
    "DEFAULT_THROTTLE_CLASSES": ["tickets.api.throttling.ClientRateThrottle"],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["tickets.api.parsers.StrictJSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "tickets.api.negotiation.JsonNegotiation",
    "DEFAULT_SCHEMA_CLASS": "tickets.api.openapi.auto_schema.ApiSchema",
    "DEFAULT_METADATA_CLASS": "tickets.api.metadata.OptionsMetadata",
    "EXCEPTION_HANDLER": "tickets.api.problems.problem_from_exception",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
}

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "SHIOL+ batch tickets",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api(/v1)?",
    "TAGS": [
        {"name": "tickets", "description": "Stored tickets, the same for every caller."},
        {"name": "claims", "description": "Tickets reserved for one client, and its quota."},
        {"name": "draws", "description": "Official draws and their prizes."},
        {"name": "generation-runs", "description": "Runs that generated the tickets."},
        {"name": "modes", "description": "Modes that generate tickets, and their skill."},
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
        "tickets.api.openapi.auto_schema.add_components",
    ],
}

# Private to each process.
CACHES["memory"] = {
    "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
    "LOCATION": "memory",
    "OPTIONS": {"MAX_ENTRIES": 100_000},
}
# Stored in files, so that other processes can read the status of clusters.
CACHES["queue"] = {
    "BACKEND": "predictions.workqueue.heartbeats.HeartbeatCache",
    "LOCATION": str(VAR / "queue-status"),
}

# `retry` must exceed (1 + ceil((queue_limit + bulk) / workers)) * (timeout + 3).
Q_CLUSTER: dict[str, Any] = {
    "name": "shiolplus",  # also the salt of task signatures; do not change
    "broker_class": "predictions.workqueue.broker.QueueBroker",
    "orm": "default",  # enqueuing a task is part of the transaction
    "cache": "queue",
    "workers": WORKERS,
    "queue_limit": 1,
    "bulk": 1,
    "timeout": 120,
    "retry": 600,
    "ack_failures": True,
    "max_attempts": 1,
    "recycle": 50,
    "save_limit": 0,  # a positive limit costs a query and a deletion per result
    "guard_cycle": 0.5,  # django-q2 tests the hard timeout for exactly zero, which other values miss
    "poll": 0.5,
    "catch_up": False,
    "ALT_CLUSTERS": {
        # Pipelines and fits, run by a cluster started with Q_CLUSTER_NAME=heavy. Fits are child processes, so
        # the worker does not grow; recycling it would delay a shutdown.
        "heavy": {"workers": 1, "queue_limit": 1, "timeout": 1800, "retry": 6000},
    },
}

MODE_PARAMETERS = {"hybrid": {"v2_share": _hybrid_share}}
FIT_TIME_LIMIT = 600  # seconds until a fit process is killed
MODELS_DIR = VAR / "models"

_handler_options = {"formatter": LOG_FORMAT, "filters": ["ids", "refusals", "outages"]}
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
        "console": {"class": "logging.StreamHandler", **_handler_options},
        "file": {
            "class": "shiolplus.logs.outages.LogFile",  # shared by all processes
            "filename": VAR / "logs" / "shiol.log",
            "maxBytes": 10_000_000,
            "backupCount": 5,
            "chmod": 0o600,  # also of the lock file, which would otherwise be executable
            "encoding": "utf-8",
            **_handler_options,
        },
    },
    "root": {"handlers": ["console", "file"], "level": "WARNING"},
    "loggers": {
        "predictions": {"level": "INFO"},
        "tickets": {"level": "INFO"},
        "django-q": {"level": "WARNING"},  # INFO would log a canary every few seconds
        "gunicorn.http.wsgi": {"level": "ERROR"},  # warns of the body of each response to HEAD
        "urllib3": {"level": "ERROR"},  # warns of each retry; the final failure is reported once
    },
}
