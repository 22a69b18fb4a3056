"""subscribed_apps, and a Page's message templates."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, JsonResponse

from channels_meta.sandbox import errors, subscriptions
from channels_meta.sandbox.errors import GraphError
from channels_meta.sandbox.graph.door import Call, graph_view, note
from channels_meta.sandbox.graph.parameters import as_names
from channels_meta.sandbox.login import tokens
from channels_meta.sandbox.login.cases import BY_NAME
from channels_meta.sandbox.models import SandboxAccount, SandboxCall, SandboxTemplate


@graph_view("GET", "POST", "DELETE")
def subscribed_apps(call: Call, node: str) -> HttpResponse:
    account = call.own(node)
    if call.request.method == "GET":
        return JsonResponse({"data": _installed(account)})
    if call.host.name == "instagram" and node == "me":
        # As production answers with a version before it; only the numeric id works.
        raise errors.unsupported_method(str(call.request.method))
    if call.request.method == "DELETE":
        subscriptions.unsubscribe(account)
        return _done(call, account, success=True)
    _check_tasks(call, account)
    fields = as_names(call.data.get("subscribed_fields"))
    _check_names(account, fields)
    by = "instagram" if call.host.name == "instagram" else "facebook"
    subscriptions.subscribe(account, by=by, fields=fields)
    # A Page's is answered with a word, as one of Meta's own pages has it.
    return _done(call, account, success=True if account.is_instagram else "true")


def _installed(account: SandboxAccount) -> list[dict[str, Any]]:
    """Our app, if it is; empty otherwise."""
    if not account.subscribed_fields:
        return []
    by_instagram = account.subscribed_by == "instagram"
    app = tokens.instagram_app() if by_instagram else tokens.facebook_app()
    return [
        {
            "id": app.id,
            "name": "Dexra",
            "link": "https://dexra.example/",
            "category": "Business",
            "subscribed_fields": account.subscribed_fields,
        }
    ]


def _check_tasks(call: Call, account: SandboxAccount) -> None:
    """MODERATE on a Page; on Instagram that the account is professional."""
    if not account.is_professional:
        raise GraphError(36103, "(#36103) The Instagram account is not eligible.")
    case = BY_NAME.get(call.token.case)
    tasks = dict(case.pages).get(account.external_id) if case else None
    if tasks is not None and not account.is_instagram and "MODERATE" not in tasks:
        raise GraphError(
            200,
            "(#200) To subscribe to the messages field, one of these permissions is needed: pages_messaging; the person must be able to MODERATE the Page",
            status=403,
        )
    if call.host.name == "facebook":
        call.needs("pages_manage_metadata")


def _check_names(account: SandboxAccount, fields: list[str]) -> None:
    if not fields:
        raise errors.bad_parameter("The parameter subscribed_fields is required")
    known = subscriptions.fields_of(account)
    for place, name in enumerate(fields):
        if name not in known:
            raise errors.bad_parameter(
                f'Param subscribed_fields[{place}] must be one of {{{", ".join(known)}}} - got "{name}".'
            )


def _done(call: Call, account: SandboxAccount, *, success: bool | str) -> HttpResponse:
    response = JsonResponse({"success": success})
    note(
        call,
        account,
        SandboxCall.Kind.SUBSCRIPTION,
        response,
        summary=str(call.request.method),
    )
    return response


@graph_view("GET")
def message_templates(call: Call, node: str) -> HttpResponse:
    account = call.own(node)
    if account.is_instagram:
        raise errors.no_such_object(node)
    call.needs("page_utility_messaging")
    return JsonResponse({"data": [_template(row) for row in account.templates.all()]})


def _template(row: SandboxTemplate) -> dict[str, Any]:
    return {
        "id": row.external_id,
        "name": row.name,
        "language": row.language,
        "status": row.status,
        "category": "UTILITY",
        "components": row.components,
        "rejected_reason": row.reason or "NONE",
    }
