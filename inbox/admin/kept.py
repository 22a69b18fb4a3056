"""What the admin shows and never changes: such rows come from people and channels."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest


class Kept:
    """Rows that are looked at here, and changed elsewhere or by nobody."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
