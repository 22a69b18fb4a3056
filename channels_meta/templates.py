"""Utility templates of a Page: which it has, and how far Meta has approved them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from channels_meta.graph import GraphClient
from inbox.channels import TemplateInfo

FIELDS = "id,name,language,status,category,components,rejected_reason"
# A Page has at most a few hundred.
MAX_TEMPLATES = 1000
_STATUSES = {
    "APPROVED": "approved",
    "PENDING": "pending",
    "IN_APPEAL": "pending",
}
_VARIABLE = re.compile(r"\{\{\s*(\w+)\s*\}\}")


def fetch_templates(client: GraphClient, node_id: str) -> Sequence[TemplateInfo]:
    """All utility templates of a Page, whatever their state. Raises SendError."""
    found = client.items(
        f"{node_id}/message_templates", limit=MAX_TEMPLATES, fields=FIELDS
    )
    return [
        info
        for info in map(read_template, found)
        if info is not None and info.external_id
    ]


def read_template(entry: Mapping[str, Any]) -> TemplateInfo | None:
    """None for one that is no utility template, or has no words. Unknown states: not approved."""
    if str(entry.get("category", "UTILITY")).upper() != "UTILITY":
        return None
    components = [one for one in _list(entry.get("components")) if _type_of(one)]
    body = next((_text(one) for one in components if _type_of(one) == "body"), "")
    if not body:
        return None
    reason = str(entry.get("rejected_reason") or "")
    return TemplateInfo(
        external_id=str(entry.get("id", "")),
        name=str(entry.get("name", "")),
        language=_language(entry.get("language")),
        status=_STATUSES.get(str(entry.get("status", "")).upper(), "rejected"),
        body=body,
        variables=dict(_variables(components)),
        reason="" if reason.upper() == "NONE" else reason[:300],
    )


def _variables(components: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, int]]:
    """Component to how many values it wants; a button's address counts as "button:<number>"."""
    for component in components:
        kind = _type_of(component)
        if kind == "buttons":
            for number, button in enumerate(_list(component.get("buttons"))):
                if wanted := _count(str(button.get("url") or "")):
                    yield f"button:{number}", wanted
        elif wanted := _count(_text(component)):
            yield kind, wanted


def _count(text: str) -> int:
    return len(set(_VARIABLE.findall(text)))


def _type_of(component: Mapping[str, Any]) -> str:
    return str(component.get("type") or "").lower()


def _text(component: Mapping[str, Any]) -> str:
    text = component.get("text")
    return text if isinstance(text, str) else ""


def _language(value: Any) -> str:
    """A code, or an object that holds it."""
    if isinstance(value, Mapping):
        value = value.get("code")
    return str(value or "")


def _list(value: Any) -> list[Mapping[str, Any]]:
    return (
        [one for one in value if isinstance(one, Mapping)]
        if isinstance(value, list)
        else []
    )
