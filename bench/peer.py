"""The peer: the django-webhook package as it comes, in a schema of its own.

`celery -A bench.peer worker` runs it; `python -m bench.peer RECEIVER COUNT` creates what is sent.
"""

from __future__ import annotations

import os
import sys

import django
import environ
from celery import Celery
from django.conf import settings

SCHEMA = "peer"


def _database() -> dict[str, object]:
    config = environ.Env.db_url_config(os.environ["DATABASE_URL"])
    options = {**config.get("OPTIONS", {}), "options": f"-c search_path={SCHEMA}"}
    return {**config, "OPTIONS": options, "CONN_MAX_AGE": 600}


settings.configure(
    SECRET_KEY="peer",
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={"default": _database()},
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django_webhook",
    ],
    DJANGO_WEBHOOK={"MODELS": ["auth.Group"]},
)
app = Celery(
    "peer",
    broker=os.environ["REDIS_URL"]
    .replace("unix://", "redis+socket://")
    .replace("?db=", "?virtual_host="),
)
app.conf.update(
    broker_connection_retry_on_startup=True,
    task_ignore_result=True,
    task_default_queue="peer",
    imports=["django_webhook.tasks"],
)
app.set_default()
django.setup()

from django.db import connections  # noqa: E402 - needs the set-up

# The package opens a connection in ready(); prefork children must not inherit it.
connections.close_all()


def create(receiver: str, count: int) -> None:
    """A webhook to the receiver, and so many events for it."""
    from django.contrib.auth.models import Group
    from django.core.management import call_command
    from django.db import connection
    from django_webhook.models import Webhook, WebhookSecret, WebhookTopic

    with connection.cursor() as cursor:
        cursor.execute(f"drop schema if exists {SCHEMA} cascade")
        cursor.execute(f"create schema {SCHEMA}")
    call_command("migrate", verbosity=0)
    webhook = Webhook.objects.create(url=receiver)
    topic, _created = WebhookTopic.objects.get_or_create(name="auth.Group/create")
    webhook.topics.add(topic)
    WebhookSecret.objects.create(webhook=webhook, token="x" * 32)
    for number in range(count):
        Group.objects.create(name=f"group {number}")


if __name__ == "__main__":
    create(sys.argv[1], int(sys.argv[2]))
