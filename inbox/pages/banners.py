"""The one banner a page shows: what every agent must know before writing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _

from inbox.models import Agent, Channel


@dataclass(frozen=True, slots=True)
class Banner:
    tone: str
    icon: str
    title: str
    text: str
    url: str = ""
    action: str = ""


# The worst first: one is shown at a time.
_SEVERITY = (Channel.Status.DISCONNECTED, Channel.Status.NEEDS_REAUTH)


def channel_banner(channels: Iterable[Channel], agent: Agent) -> Banner | None:
    """Names the account that needs an admin most; None if all are well."""
    troubled = [channel for channel in channels if channel.status in _SEVERITY]
    if not troubled:
        return None
    channel = min(troubled, key=lambda one: _SEVERITY.index(Channel.Status(one.status)))
    if channel.status == Channel.Status.DISCONNECTED:
        title = _("%(account)s on %(channel)s is disconnected.")
        text = _("New messages are not arriving, and nothing can be sent from it.")
    else:
        title = _("%(account)s on %(channel)s needs to be reconnected.")
        text = channel.status_reason or _("Replies wait in the queue until then.")
    may_mend = agent.has_perm("inbox.change_channel")
    return Banner(
        tone="bad",
        icon="plug",
        title=title % {"account": channel.name, "channel": channel.adapter.label},
        text=text,
        url=reverse("admin:inbox_channel_change", args=[channel.pk])
        if may_mend
        else "",
        action=_("Look into it"),
    )
