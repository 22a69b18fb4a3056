"""What a platform says of the account itself: warnings and blocks, templates reviewed."""

from __future__ import annotations

from inbox.events import Event, EventName
from inbox.inbound.batch import Batch, columns, execute, newest_by
from inbox.inbound.items import Alert, TemplateChange

# What is lifted was this alert, not whatever went wrong since. The same word twice is one.
ALERT = """
update inbox_channel c
   set last_error = k.detail, last_error_code = k.code, last_error_at = k.at
  from unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
       k(id, family, code, detail, at)
 where c.id = k.id
   and (k.code <> '' or c.last_error_code like k.family || '%%')
   and (c.last_error_at is null or c.last_error_at < k.at)
returning c.id, c.status, k.code, k.detail, k.at
"""

CHANGE_TEMPLATES = """
update inbox_messagetemplate t
   set status = k.status, reason = k.reason
  from unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
       k(channel_id, external_id, name, language, status, reason)
 where t.channel_id = k.channel_id
   and case when k.external_id <> '' then t.external_id = k.external_id
            else t.name = k.name and (k.language = '' or t.language = k.language) end
   and (t.status, t.reason) is distinct from (k.status, k.reason)
"""


def raise_alerts(batch: Batch) -> None:
    """Keep the latest word on each account where admins look, and tell it on."""
    alerts = newest_by(
        (((a.channel_id, ""), alert) for a, alert in batch.of(Alert)),
        rank=lambda alert: alert.at,
    )
    if not alerts:
        return
    rows = [
        (
            channel_id,
            alert.code.partition("_")[0] + "_",
            "" if alert.is_over else alert.code,
            "" if alert.is_over else alert.detail,
            alert.at,
        )
        for (channel_id, _), alert in alerts.items()
    ]
    for channel_id, status, code, detail, at in execute(ALERT, *columns(rows, 5)):
        batch.events.append(
            Event(
                EventName.CHANNEL_STATUS,
                channel_id=channel_id,
                occurred_at=at,
                details={"status": status, "reason": code, "detail": detail},
            )
        )
        batch.changed_channels.add(channel_id)


def change_templates(batch: Batch) -> None:
    """The last word on each template in this batch holds."""
    changes = {
        (a.channel_id, c.external_id or f"{c.name}/{c.language}"): c
        for a, c in batch.of(TemplateChange)
    }
    rows = [
        (channel_id, c.external_id, c.name, c.language, c.status, c.reason)
        for (channel_id, _), c in changes.items()
    ]
    if rows:
        execute(CHANGE_TEMPLATES, *columns(sorted(rows), 6))
