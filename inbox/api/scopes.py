"""What a key may do: every operation names the scope that it demands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from inbox.api.authentication import KeyHolder, holder_of
from inbox.models import Scope

if TYPE_CHECKING:
    from rest_framework.views import (
        APIView,  # which imports this module by its settings
    )


class HasScope(BasePermission):
    """Lets a key in that has the scope which the view names for the method, and nobody else.

    A method for which a view names none is closed to every key.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not isinstance(request.user, KeyHolder):
            return False
        if request.method not in view.allowed_methods or request.method == "OPTIONS":
            return True  # to be told what is possible
        scope = scope_of(view, request.method)
        if scope is None:
            return False
        demand_scope(request, scope)
        return True


def scope_of(view: APIView, method: str) -> Scope | None:
    """HEAD is GET without a body."""
    scopes: dict[str, Scope] = getattr(view, "scopes", {})
    return scopes.get("GET" if method == "HEAD" else method)


def demand_scope(request: Request, scope: Scope) -> None:
    """Raises PermissionDenied if the key lacks it."""
    if scope not in holder_of(request).key.scopes:
        raise PermissionDenied(f"This key lacks the scope `{scope.value}`.")
