"""The project: settings, entry points, and where every app meets. Nobody imports it."""

from dexra.celery import app as celery_app

__all__ = ["celery_app"]
