"""Settings of the tests: the real ones, with known secrets and quick passwords.

Every test worker has a database of its own (pytest-django) and a Redis database of its own.
"""

import os
import socket
from urllib.parse import urlsplit

os.environ.setdefault("SECRET_KEY", "tests-" + "k" * 60)
os.environ.setdefault(
    "FIELD_ENCRYPTION_KEYS", "dGVzdHMtZmllbGQtZW5jcnlwdGlvbi1rZXktMzJieXQ="
)
# A free port, known before anything starts: the product tells others where it is.
with socket.socket() as _probe:
    _probe.bind(("127.0.0.1", 0))
    _port = str(_probe.getsockname()[1])
os.environ.update(
    PORT=_port,
    META_APP_SECRET="app-secret,old-app-secret",
    META_INSTAGRAM_APP_SECRET="instagram-app-secret",
    META_VERIFY_TOKEN="verify-me",
    SANDBOX="1",
    DEBUG="0",
    PUBLIC_URL=f"http://127.0.0.1:{_port}",
    LOG_LEVEL="WARNING",
    WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8",
)

from dexra.settings import *  # noqa: F403

# Redis databases are numbered; 0 is left to whoever runs the product here.
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) + 1
_redis = urlsplit(REDIS_URL)  # noqa: F405
REDIS_URL = (
    f"unix://{_redis.path}?db={_worker}"
    if _redis.scheme == "unix"
    else _redis._replace(path=f"/{_worker}").geturl()
)
CELERY_BROKER_URL = "memory://"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ALLOWED_HOSTS = ["*"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
