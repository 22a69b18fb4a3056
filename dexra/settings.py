"""All settings, read from the environment. `.env.example` explains each one."""

import ipaddress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import django_stubs_ext
import environ
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from dexra import embedded

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")

DATA_DIR = (
    Path(env.str("DATA_DIR", default=str(BASE_DIR / ".data"))).expanduser().absolute()
)
DEBUG = env.bool("DEBUG", default=False)
SANDBOX = env.bool("SANDBOX", default=False)
PORT = env.int("PORT", default=8000)
PUBLIC_URL = env.str("PUBLIC_URL", default=f"http://127.0.0.1:{PORT}").rstrip("/")
_public = urlsplit(PUBLIC_URL)


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def media_storage(address: str) -> dict[str, Any]:
    """Where files are kept: "" is MEDIA_ROOT; s3://bucket/folder?endpoint=...&region=... a store.

    Raises ImproperlyConfigured for anything else.
    """
    if not address:
        private = {"file_permissions_mode": 0o600, "directory_permissions_mode": 0o700}
        return {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": private,
        }
    parts = urlsplit(address)
    given = dict(parse_qsl(parts.query))
    unknown = given.keys() - {"endpoint", "region", "addressing"}
    if parts.scheme != "s3" or not parts.hostname or unknown or parts.username:
        raise ImproperlyConfigured(
            "MEDIA_STORAGE looks like s3://bucket/folder?endpoint=https://...&region=...; the key "
            "goes into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    return {
        "BACKEND": "inbox.storage.BucketStorage",
        "OPTIONS": {
            "bucket_name": parts.hostname,
            "location": parts.path.strip("/"),
            "endpoint_url": given.get("endpoint"),
            "region_name": given.get("region"),
            "addressing_style": given.get("addressing"),
            # Without a key of its own, what the machine may do (a role, a profile).
            "access_key": env.str("AWS_ACCESS_KEY_ID", default="") or None,
            "secret_key": env.str("AWS_SECRET_ACCESS_KEY", default="") or None,
        },
    }


PUBLIC_IS_LOCAL = _is_loopback(_public.hostname or "")
if SANDBOX and not PUBLIC_IS_LOCAL:
    raise ImproperlyConfigured(
        f"SANDBOX lets anybody who can sign in play the customer, and PUBLIC_URL ({PUBLIC_URL}) is "
        "public. Unset SANDBOX, or set PUBLIC_URL to an address of this machine."
    )

# Where nothing was given, `make run` keeps random secrets and its own servers under DATA_DIR.
_embedded = not env.str("DATABASE_URL", default="") or not env.str(
    "REDIS_URL", default=""
)
_made_up = _embedded or env.bool("MAKE_UP_SECRETS", default=False)
_secrets = embedded.secrets(DATA_DIR) if _made_up else {}


def _secret(name: str, *, required: bool = False) -> str:
    value: str = env.str(name, default=_secrets.get(name, ""))
    if required and not value:
        raise ImproperlyConfigured(
            f"Set {name}: see .env.example for what it is and how to make one."
        )
    return value


def _secret_list(name: str, *, required: bool = False) -> list[str]:
    return [
        part.strip()
        for part in _secret(name, required=required).split(",")
        if part.strip()
    ]


SECRET_KEY = _secret("SECRET_KEY", required=True)
# Fernet keys, newest first: the first encrypts, all decrypt.
FIELD_ENCRYPTION_KEYS = _secret_list("FIELD_ENCRYPTION_KEYS", required=True)

_local_hosts = ["localhost", "127.0.0.1", "[::1]"] if PUBLIC_IS_LOCAL else []
ALLOWED_HOSTS = env.list(
    "ALLOWED_HOSTS", default=[_public.hostname or "localhost", *_local_hosts]
)
CSRF_TRUSTED_ORIGINS = [f"{_public.scheme}://{_public.netloc}"]
# Proxies in front of us whose X-Forwarded-* headers are believed: addresses or networks.
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])

INSTALLED_APPS = [
    "inbox.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "django.forms",  # its templates, for FORM_RENDERER
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "inbox",
    "channels_meta",
    "webhooks",
    "dexra",
]

MIDDLEWARE = [
    "inbox.pages.compression.CompressionMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "inbox.pages.security.ContentSecurityPolicyMiddleware",
    "inbox.pages.outages.DatabaseAwayMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "inbox.pages.language.AgentLocaleMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "dexra.urls"
WSGI_APPLICATION = "dexra.wsgi.application"
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

DATABASES = {
    "default": {
        **env.db_url_config(
            env.str("DATABASE_URL", default="") or embedded.database_url(DATA_DIR)
        ),
        # Threads live as long as the process, and so do their connections.
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
    }
}
# Parameters travel beside the statement, which PostgreSQL prepares when it comes again: the drain's
# twenty statements take a third of the time.
DATABASES["default"].setdefault("OPTIONS", {}).update(
    server_side_binding=True, prepare_threshold=2
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", default="") or embedded.redis_url(DATA_DIR)

AUTH_USER_MODEL = "inbox.Agent"
AUTHENTICATION_BACKENDS = ["inbox.agents.AgentBackend"]
LOGIN_URL = "admin:login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("fr", _("French")), ("ar", _("Arabic"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = DATA_DIR / "static"
# Finders serve what was not collected, so that `make run` needs no collectstatic.
WHITENOISE_USE_FINDERS = True
WHITENOISE_MIMETYPES = {".wav": "audio/wav"}
# What people send each other. Nobody but our own pages serves it (inbox/pages/downloads.py).
MEDIA_ROOT = DATA_DIR / "media"
MEDIA_STORAGE = env.str("MEDIA_STORAGE", default="")
# Hosts beside the platform's own that files may be fetched from.
MEDIA_HOSTS = env.list("MEDIA_HOSTS", default=[])
MEDIA_MAX_BYTES = env.int("MEDIA_MAX_MB", default=30) * 1024 * 1024
STORAGES = {
    "default": media_storage(MEDIA_STORAGE),
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

EMAIL_CONFIG = env.email_url("EMAIL_URL", default="consolemail://")
vars().update(EMAIL_CONFIG)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", default="") or f"dexra@{_public.hostname}"

# Security: nothing here is loosened in development but what plain HTTP on this machine needs.
_https = _public.scheme == "https"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
SECURE_SSL_REDIRECT = False  # /healthz and Meta come over the balancer's plain side
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # subdomains are not ours to bind
    "security.W008",  # the balancer redirects; its health checks come over the plain side
    "security.W021",  # preloading is a decision for the whole domain
]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
if _https and TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# Meta
META_APP_ID = env.str("META_APP_ID", default="")
META_INSTAGRAM_APP_ID = env.str("META_INSTAGRAM_APP_ID", default="")
# Current secret first; older ones still verify while Meta and we change over.
META_APP_SECRET = _secret_list("META_APP_SECRET")
META_INSTAGRAM_APP_SECRET = _secret_list("META_INSTAGRAM_APP_SECRET")
META_VERIFY_TOKEN = _secret("META_VERIFY_TOKEN")
META_GRAPH_VERSION = env.str("META_GRAPH_VERSION", default="v26.0")
# Facebook Login for Business asks for what a configuration holds, where one is given.
META_LOGIN_CONFIG_ID = env.str("META_LOGIN_CONFIG_ID", default="")
# Permissions to ask for beside our own list: page_utility_messaging, once the app may have it.
META_EXTRA_SCOPES = env.list("META_EXTRA_SCOPES", default=[])
# What accounts are subscribed to; empty: the lists of channels_meta/subscriptions.py.
META_SUBSCRIBED_FIELDS = {
    "page": env.list("META_PAGE_FIELDS", default=[]),
    "instagram": env.list("META_INSTAGRAM_FIELDS", default=[]),
    "instagram_page": env.list("META_INSTAGRAM_PAGE_FIELDS", default=[]),
}
# Answers to what Meta's documentation leaves open; channels_meta/assumptions.py has the questions.
META_ASSUMPTIONS = {
    name: value
    for name, value in env.ENVIRON.items()
    if name.startswith("META_ASSUME_")
}

# Outgoing webhooks: networks that endpoints may lie in although they are not public.
WEBHOOK_ALLOWED_NETWORKS = env.list(
    "WEBHOOK_ALLOWED_NETWORKS", default=["127.0.0.0/8", "::1/128"] if SANDBOX else []
)

# How long what is over is kept, in days.
KEEP_JOURNAL_DAYS = env.int("KEEP_JOURNAL_DAYS", default=14)
KEEP_EVENTS_DAYS = env.int("KEEP_EVENTS_DAYS", default=30)
KEEP_ATTEMPTS_DAYS = env.int("KEEP_ATTEMPTS_DAYS", default=14)
KEEP_RECORDS_DAYS = env.int("KEEP_RECORDS_DAYS", default=90)
KEEP_PROOFS_DAYS = env.int("KEEP_PROOFS_DAYS", default=1095)

CELERY_BROKER_URL = (
    "redis+socket://"
    + REDIS_URL.removeprefix("unix://").replace("?db=", "?virtual_host=")
    if REDIS_URL.startswith("unix://")
    else REDIS_URL
)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_POOL_LIMIT = 20
CELERY_TASK_PUBLISH_RETRY_POLICY = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
    "interval_max": 0.2,
}
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 300,
    "socket_timeout": 10,
    "socket_connect_timeout": 3,
    "socket_keepalive": not REDIS_URL.startswith("unix://"),
    "health_check_interval": 25,
    "global_keyprefix": "dexra:",
}
CELERY_DB_REUSE_MAX = 1000
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = {
    "channels_meta.processing.*": {"queue": "drain"},
    "inbox.delivery.*": {"queue": "send"},
    "inbox.actions.*": {"queue": "send"},
    "inbox.fetching.*": {"queue": "fetch"},
    "inbox.media.*": {"queue": "fetch"},
    "inbox.history.*": {"queue": "fetch"},
    "inbox.templates.*": {"queue": "fetch"},
    "channels_meta.upkeep.*": {"queue": "fetch"},
    "channels_meta.sandbox.*": {"queue": "send"},
    "webhooks.sending.*": {"queue": "dispatch"},
    "webhooks.alerts.*": {"queue": "fetch"},
}
# Sweepers: whatever bell was lost, the rows are found. A ring that nobody heard in time is
# dropped, or a worker that comes back would find hundreds of them.
CELERY_BEAT_SCHEDULE = {
    **{
        task: {"task": task, "schedule": seconds, "options": {"expires": seconds}}
        for task, seconds in (
            ("channels_meta.processing.drain", 5),
            ("inbox.delivery.ring_due", 5),
            ("inbox.delivery.settle_uncertain", 10),
            ("inbox.actions.ring_due", 10),
            ("webhooks.sending.dispatch", 5),
            ("inbox.live.republish", 5),
            ("inbox.triage.wake_due", 5),
            ("inbox.fetching.fetch_due", 10),
            ("inbox.history.run_imports", 10),
            ("inbox.history.check_channels", 300),
            ("inbox.fetching.refresh_profiles", 3600),
            ("inbox.contacts.ring_unfinished", 60),
            ("inbox.retention.purge", 3600),
            ("channels_meta.redaction.forget_due", 60),
            ("channels_meta.upkeep.ring_due", 60),
            ("channels_meta.upkeep.mail_incidents", 60),
            ("webhooks.alerts.mail_disabled", 60),
            ("channels_meta.upkeep.purge_logins", 600),
        )
    },
    **{
        f"heartbeat-{queue}": {
            "task": "inbox.health.beat",
            "schedule": 10,
            "args": [queue],
            "options": {"queue": queue, "expires": 30},
        }
        for queue in ("drain", "send", "dispatch", "fetch")
    },
    "sweep-files": {
        "task": "inbox.media.sweep_files",
        "schedule": 3600,
        "options": {"expires": 3600},
    },
    "purge-raw-events": {
        "task": "channels_meta.processing.purge_raw_events",
        "schedule": 3600,
    },
    "templates": {
        "task": "inbox.templates.sync_all",
        "schedule": 86_400,
        "options": {"expires": 3600},
    },
    "purge-webhooks": {"task": "webhooks.sending.purge", "schedule": 3600},
}
if SANDBOX:
    CELERY_BEAT_SCHEDULE["sandbox"] = {
        "task": "channels_meta.sandbox.tasks.post_due",
        "schedule": 1,
        "options": {"expires": 2},
    }

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["inbox.api.authentication.KeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": [
        "rest_framework.permissions.IsAuthenticated",
        "inbox.api.scopes.HasScope",
    ],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["inbox.api.parsing.JsonParser"],
    "DEFAULT_SCHEMA_CLASS": "inbox.api.schema.ApiSchema",
    "EXCEPTION_HANDLER": "inbox.api.errors.problem_response",
    "UNAUTHENTICATED_USER": None,
    # As in webhooks: UTC, whole seconds.
    "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%SZ",
    "DEFAULT_THROTTLE_CLASSES": ["inbox.api.throttling.KeyThrottle"],
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Dexra",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "DESCRIPTION": "Conversations, messages and people of the inbox, for programs.",
    "SCHEMA_PATH_PREFIX": "/v1",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "inbox.api.schema.add_refusals",
        "webhooks.schemas.add_webhooks",
    ],
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "ConversationStatus": "inbox.models.Conversation.Status",
        "ChannelStatus": "inbox.models.Channel.Status",
        "ActionStatus": "inbox.models.ChannelAction.Status",
        "TemplateStatus": "inbox.models.MessageTemplate.Status",
        "MessageType": "inbox.models.MessageType",
        "Presence": "inbox.models.Agent.Presence",
        "EndpointStatus": "webhooks.models.Endpoint.Status",
        "DeliveryState": "webhooks.models.Delivery.State",
        "EventName": "inbox.events.EventName",
        "Priority": "inbox.api.conversations.PRIORITIES",
    },
}

LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
}
