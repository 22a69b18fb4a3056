"""The door of the connect pages."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache

from inbox.pages.http import AgentRequest, is_fragment

P = ParamSpec("P")

# Whoever connects accounts decides whose messages arrive, and holds the keys to them.
PERMISSIONS = ("inbox.change_channel", "channels_meta.change_credential")


def connect_page(
    view: Callable[Concatenate[AgentRequest, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """Signed in, and allowed to connect accounts: 403 for everybody else. Never cached."""

    @wraps(view)
    def permitted(
        request: HttpRequest, *args: P.args, **kwargs: P.kwargs
    ) -> HttpResponse:
        if not request.user.has_perms(PERMISSIONS):
            raise PermissionDenied
        return view(request, *args, **kwargs)  # type: ignore[arg-type]  # checked above

    behind_sign_in = admin.site.admin_view(never_cache(permitted))

    @wraps(view)
    def page(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if is_fragment(request) and not admin.site.has_permission(request):
            return HttpResponse(status=401)
        return behind_sign_in(request, *args, **kwargs)

    return page  # type: ignore[return-value]  # `wraps` keeps the narrower request of the view
