"""When PostgreSQL is away, people get a sentence, not a traceback."""

from collections.abc import Callable

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _


class DatabaseAwayMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            return self.get_response(request)
        except (OperationalError, InterfaceError):
            return self._sorry()

    def process_exception(
        self, request: HttpRequest, error: Exception
    ) -> HttpResponse | None:
        return (
            self._sorry()
            if isinstance(error, OperationalError | InterfaceError)
            else None
        )

    def _sorry(self) -> HttpResponse:
        sentence = _(
            "Dexra cannot reach its database for the moment. Nothing is lost: try again."
        )
        answer = HttpResponse(
            sentence, status=503, content_type="text/plain; charset=utf-8"
        )
        answer["Retry-After"] = "5"
        return answer
