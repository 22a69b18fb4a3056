"""Settings: explained, safe by default, refused with a sentence that says what to do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
NEEDED = {
    "SECRET_KEY": "s" * 60,
    "FIELD_ENCRYPTION_KEYS": "dGVzdHMtZmllbGQtZW5jcnlwdGlvbi1rZXktMzJieXQ=",
    "DATABASE_URL": "postgresql://nobody@localhost/nothing",
    "REDIS_URL": "redis://localhost:6379/0",
}


def read_settings(show: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Import the settings in a process of their own and print an expression over them."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        **environment,
    }
    code = f"from dexra import settings; print({show})"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True
    )


def test_every_setting_is_explained() -> None:
    code = (ROOT / "dexra" / "settings.py").read_text()
    read = set(re.findall(r'(?:env\.\w+|_secret|_secret_list)\(\s*"([A-Z_]+)"', code))
    example = (ROOT / ".env.example").read_text()
    explained = set(
        re.findall(r"^# .*\n(?:#.*\n)*([A-Z_]+)=|^([A-Z_]+)=", example, re.MULTILINE)
    )

    assert read == {name for pair in explained for name in pair if name}


def test_debug_is_off_unless_asked_for() -> None:
    assert read_settings("settings.DEBUG", **NEEDED).stdout == "False\n"


@pytest.mark.parametrize("name", ["SECRET_KEY", "FIELD_ENCRYPTION_KEYS"])
def test_a_missing_secret_is_named(name: str) -> None:
    given = {key: value for key, value in NEEDED.items() if key != name}

    outcome = read_settings("1", **given)

    assert outcome.returncode != 0
    assert f"Set {name}: see .env.example" in outcome.stderr


def test_secrets_are_made_up_where_that_was_asked_for(tmp_path: Path) -> None:
    servers = {name: NEEDED[name] for name in ("DATABASE_URL", "REDIS_URL")}
    asked = {"MAKE_UP_SECRETS": "1", "DATA_DIR": str(tmp_path)}

    first = read_settings("settings.SECRET_KEY", **servers, **asked)
    again = read_settings("settings.SECRET_KEY", **servers, **asked)

    assert first.returncode == 0
    assert first.stdout == again.stdout != "\n"


def test_the_sandbox_refuses_a_public_address() -> None:
    outcome = read_settings(
        "1", **NEEDED, SANDBOX="1", PUBLIC_URL="https://inbox.example.com"
    )

    assert outcome.returncode != 0
    assert "Unset SANDBOX, or set PUBLIC_URL" in outcome.stderr


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9000", "http://localhost:8000", "http://[::1]:8"]
)
def test_the_sandbox_plays_on_this_machine(url: str) -> None:
    assert (
        read_settings("settings.SANDBOX", **NEEDED, SANDBOX="1", PUBLIC_URL=url).stdout
        == "True\n"
    )


def test_a_public_site_over_tls_has_secure_cookies() -> None:
    shown = read_settings(
        "settings.SESSION_COOKIE_SECURE, settings.CSRF_COOKIE_SECURE, settings.ALLOWED_HOSTS",
        **NEEDED,
        PUBLIC_URL="https://inbox.example.com",
    )

    assert shown.stdout == "True True ['inbox.example.com']\n"


@pytest.mark.parametrize(
    ("url", "broker"),
    [
        ("redis://localhost:6379/3", "redis://localhost:6379/3"),
        ("unix:///run/r.sock", "redis+socket:///run/r.sock"),
        ("unix:///run/r.sock?db=2", "redis+socket:///run/r.sock?virtual_host=2"),
    ],
)
def test_celery_spells_the_redis_address_its_own_way(url: str, broker: str) -> None:
    shown = read_settings("settings.CELERY_BROKER_URL", **(NEEDED | {"REDIS_URL": url}))

    assert shown.stdout.strip() == broker


def test_files_lie_beside_the_data_for_nobody_else_to_read() -> None:
    shown = read_settings("settings.STORAGES['default']", **NEEDED)

    assert eval(shown.stdout) == {  # noqa: S307 - what was printed here
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {
            "file_permissions_mode": 0o600,
            "directory_permissions_mode": 0o700,
        },
    }


def test_files_may_lie_in_a_store() -> None:
    address = "s3://bucket/some/folder?endpoint=https://s3.example.com&region=eu-west-3&addressing=path"

    shown = read_settings(
        "settings.STORAGES['default']",
        **NEEDED,
        MEDIA_STORAGE=address,
        AWS_ACCESS_KEY_ID="key",
        AWS_SECRET_ACCESS_KEY="secret",
    )

    assert eval(shown.stdout) == {  # noqa: S307 - what was printed here
        "BACKEND": "inbox.storage.BucketStorage",
        "OPTIONS": {
            "bucket_name": "bucket",
            "location": "some/folder",
            "endpoint_url": "https://s3.example.com",
            "region_name": "eu-west-3",
            "addressing_style": "path",
            "access_key": "key",
            "secret_key": "secret",
        },
    }


@pytest.mark.parametrize(
    "address",
    ["/var/media", "s3:///nothing", "s3://key:secret@bucket", "s3://bucket?acl=public"],
)
def test_a_store_that_is_none_is_refused(address: str) -> None:
    outcome = read_settings("1", **NEEDED, MEDIA_STORAGE=address)

    assert outcome.returncode != 0
    assert "MEDIA_STORAGE looks like s3://" in outcome.stderr
