"""A message template was reviewed: approved, rejected, paused, removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from channels_meta.payloads.values import as_dict, read_id, read_text
from inbox.inbound import Item, TemplateChange

# Meta's pages spell the field both ways (contract 6.2).
TEMPLATE_FIELDS = ("messenger_template_status_update", "message_template_status_update")
_STATUSES = {
    "APPROVED": "approved",
    "REINSTATED": "approved",
    "PENDING": "pending",
    "IN_APPEAL": "pending",
    "REJECTED": "rejected",
    "PAUSED": "rejected",
    "DISABLED": "rejected",
    "FLAGGED": "approved",  # a warning: it may still be used
    "DELETED": "gone",
    "PENDING_DELETION": "gone",
}


def parse_template_change(value: Mapping[str, Any]) -> tuple[str, Item | None]:
    told = read_text(value.get("event") or value.get("status")).upper()
    status = _STATUSES.get(told)
    template_id = read_id(value.get("message_template_id") or value.get("id"))
    name = read_text(value.get("message_template_name") or value.get("name"))
    if status is None or not (template_id or name):
        return "ignored: template status", None
    return "template status", TemplateChange(
        external_id=template_id[:100],
        name=name[:200],
        language=_language(value)[:20],
        status=status,
        reason=read_text(value.get("reason"))[:300],
    )


def _language(value: Mapping[str, Any]) -> str:
    told = value.get("message_template_language") or value.get("language")
    return read_text(as_dict(told).get("code") or told)
