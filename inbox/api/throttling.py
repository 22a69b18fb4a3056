"""How often one key, or one stranger, may call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from inbox.throttle import may_call, seconds_left

if TYPE_CHECKING:
    from rest_framework.views import (
        APIView,  # which imports this module by its settings
    )

CALLS_PER_MINUTE = 1200


class KeyThrottle(BaseThrottle):
    """So many calls a minute for each key, and for each address that has none."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        who = getattr(request.user, "pk", None) or f"ip-{self.get_ident(request)}"
        return may_call(str(who), calls=CALLS_PER_MINUTE)

    def wait(self) -> float:
        return seconds_left()
