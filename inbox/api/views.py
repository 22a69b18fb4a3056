"""What every view of the API is: it names its scopes, and its answers say how often one may call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from inbox.api.throttling import rate_headers
from inbox.models import Scope


class ApiView(APIView):
    """scopes: by method, what a key needs for it."""

    scopes: Mapping[str, Scope]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Whoever is refused is counted too: guessing keys has its limit."""
        try:
            super().initial(request, *args, **kwargs)
        except (
            exceptions.NotAuthenticated,
            exceptions.AuthenticationFailed,
            exceptions.PermissionDenied,
        ):
            self.check_throttles(request)
            raise

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        answer = super().finalize_response(request, response, *args, **kwargs)
        for name, value in rate_headers(request).items():
            answer[name] = value
        return answer
