"""The Celery app. Rows in PostgreSQL are the queues; Celery only rings for them."""

import os

from celery import Celery
from celery.signals import beat_init, before_task_publish, task_prerun
from django.db import close_old_connections

from inbox.health import heard

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dexra.settings")

app = Celery("dexra")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@task_prerun.connect
def drop_dead_connections(**_: object) -> None:
    """CELERY_DB_REUSE_MAX keeps connections open between tasks; a broken one must not survive."""
    close_old_connections()


@beat_init.connect
def tell_that_beat_lives(**_: object) -> None:
    """In the beat process every ring is a sign of life, for /readyz."""

    def heard_beat(**_: object) -> None:
        heard("beat")

    before_task_publish.connect(heard_beat, weak=False)
