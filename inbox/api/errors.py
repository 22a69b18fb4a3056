"""Every refusal of the API as a problem body (RFC 9457) with a stable `code`."""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from inbox.errors import InboxError

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

_CODES = {
    exceptions.NotAuthenticated: "unauthenticated",
    exceptions.AuthenticationFailed: "unauthenticated",
    exceptions.PermissionDenied: "forbidden",
    exceptions.NotFound: "not_found",
    exceptions.MethodNotAllowed: "method_not_allowed",
    exceptions.ParseError: "malformed",
    exceptions.UnsupportedMediaType: "unsupported_media_type",
    exceptions.NotAcceptable: "not_acceptable",
    exceptions.Throttled: "rate_limited",
}


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler. None for what is our fault: a 500, logged."""
    if isinstance(error, InboxError):
        errors = (
            [{"param": error.param, "message": str(error.detail)}]
            if error.param
            else []
        )
        return _problem(error.status, error.code, str(error.detail), errors)
    if isinstance(error, exceptions.ValidationError):
        return _problem(
            422, "invalid", "Some values are not valid.", _field_errors(error.detail)
        )
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    response = exception_handler(error, context)
    if response is None or not isinstance(error, exceptions.APIException):
        return None
    code = _CODES.get(type(error), error.default_code)
    problem = _problem(response.status_code, str(code), _sentence(error.detail), [])
    for header in ("WWW-Authenticate", "Retry-After", "Allow"):
        if header in response:
            problem[header] = response[header]
    return problem


def _problem(
    status: int, code: str, detail: str, errors: list[dict[str, str]]
) -> Response:
    body = {
        "type": "about:blank",
        "status": status,
        "code": code,
        "title": code.replace("_", " "),
    }
    body["detail"] = detail
    if errors:
        body["errors"] = errors
    return Response(body, status=status, content_type=MEDIA_TYPE)


def _field_errors(detail: Any, param: str = "") -> list[dict[str, str]]:
    """DRF's nested errors as a flat list of {param, message}."""
    if isinstance(detail, dict):
        return [
            error
            for key, value in detail.items()
            for error in _field_errors(value, f"{param}.{key}" if param else str(key))
        ]
    if isinstance(detail, list):
        return [error for value in detail for error in _field_errors(value, param)]
    return [{"param": param, "message": str(detail)}]


def _sentence(detail: Any) -> str:
    return str(detail[0] if isinstance(detail, list) else detail)


@csrf_exempt  # nothing is done, and programs bring no token
def not_found(request: HttpRequest, path: str = "") -> JsonResponse:
    """An address under /v1/ that is none."""
    body = {
        "type": "about:blank",
        "status": 404,
        "code": "not_found",
        "title": "not found",
        "detail": "There is nothing at this address.",
    }
    return JsonResponse(body, status=404, content_type=MEDIA_TYPE)
