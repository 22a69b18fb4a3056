"""What every page shares: the door, and the answer as a whole page or as its fragments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers
from django_htmx.middleware import HtmxDetails

from inbox.models import Agent

P = ParamSpec("P")


class AgentRequest(HttpRequest):
    """A request behind `agent_page`: its user has signed in and may read the inbox."""

    user: Agent
    htmx: HtmxDetails


class Door(Protocol):
    """What stands before a view: it sees a plain request, the view one of somebody who may."""

    def __call__(
        self, view: Callable[Concatenate[AgentRequest, P], HttpResponse], /
    ) -> Callable[Concatenate[HttpRequest, P], HttpResponse]: ...


def page_for(*permissions: str, says_caching: bool = False) -> Door:
    """The door: Dexra's AdminSite asks to sign in, the page asks for these permissions (else 403).

    A fragment cannot show a sign-in page in its place: it is answered 401, and the page
    around it says what to do. says_caching: the view says itself whether a browser may keep
    what it answers; otherwise none may.
    """

    def behind_door(
        view: Callable[Concatenate[AgentRequest, P], HttpResponse],
    ) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
        @wraps(view)
        def permitted(
            request: HttpRequest, *args: P.args, **kwargs: P.kwargs
        ) -> HttpResponse:
            if not request.user.has_perms(permissions):
                raise PermissionDenied
            return view(request, *args, **kwargs)  # type: ignore[arg-type]  # checked above

        behind_sign_in = admin.site.admin_view(permitted, cacheable=says_caching)

        @wraps(view)
        def page(
            request: HttpRequest, *args: P.args, **kwargs: P.kwargs
        ) -> HttpResponse:
            if is_fragment(request) and not admin.site.has_permission(request):
                return HttpResponse(status=401)
            return behind_sign_in(request, *args, **kwargs)

        return page  # type: ignore[return-value]  # `wraps` keeps the narrower request of the view

    return behind_door


# For whoever may read the inbox.
agent_page = page_for("inbox.view_conversation")
# The same door for what says itself whether a browser may keep it.
agent_file = page_for("inbox.view_conversation", says_caching=True)


def is_fragment(request: HttpRequest) -> bool:
    """Whether htmx asks for a part of a page; after a lost history entry it wants the whole."""
    htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]  # set by HtmxMiddleware
    return bool(htmx) and not htmx.history_restore_request


def render_page(
    request: HttpRequest,
    page: str,
    context: Mapping[str, Any],
    *,
    fragments: Sequence[str],
    status: int = 200,
) -> HttpResponse:
    """One URL, two answers: the page, or those of its fragments that htmx replaces."""
    if is_fragment(request):
        response = render_fragments(request, fragments, context, status=status)
    else:
        response = render(request, page, dict(context), status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def render_fragments(
    request: HttpRequest,
    templates: Sequence[str],
    context: Mapping[str, Any],
    *,
    status: int = 200,
) -> HttpResponse:
    """Several fragments in one answer: the target's own first, the others out of band."""
    parts = [render_to_string(name, dict(context), request) for name in templates]
    return HttpResponse("\n".join(parts), status=status)
