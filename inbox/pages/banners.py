"""The one banner a page shows: what every agent must know before writing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.utils.translation import gettext as _

from inbox.errors import retell
from inbox.models import Agent, Channel


@dataclass(frozen=True, slots=True)
class Banner:
    tone: str
    icon: str
    title: str
    text: str
    url: str = ""
    action: str = ""


# What else is told here, by other apps: asked in turn while the accounts are well.
Source = Callable[[Agent], Banner | None]
_sources: list[Source] = []


def add_source(source: Source) -> None:
    """source: a cheap question; it is asked with each whole page."""
    _sources.append(source)


def banner_for(channels: Iterable[Channel], agent: Agent) -> Banner | None:
    """The one that matters most to this person; None if all is well."""
    banner = channel_banner(channels, agent)
    others = (source(agent) for source in _sources)
    return banner or next((other for other in others if other), None)


def channel_banner(channels: Iterable[Channel], agent: Agent) -> Banner | None:
    """Names the account that needs an admin most; None if all are well."""
    troubled = [(rank, channel) for channel in channels if (rank := _rank(channel))]
    if not troubled:
        return None
    _worst, channel = max(troubled, key=lambda one: one[0])
    tone, title, text, action = _words(channel)
    may_mend = agent.has_perm("inbox.change_channel")
    return Banner(
        tone=tone,
        icon="plug" if tone == "bad" else "warn",
        title=title % {"account": channel.name, "channel": channel.adapter.label},
        text=text,
        url=channel.adapter.health_url(channel) if may_mend else "",
        action=action,
    )


def _rank(channel: Channel) -> int:
    """How much it needs somebody; 0 for an account that is well."""
    if channel.status == Channel.Status.DISCONNECTED:
        return 0 if channel.is_retired else 3
    if channel.status == Channel.Status.NEEDS_REAUTH:
        return 2
    return int(channel.status == Channel.Status.ACTIVE and bool(_reason(channel)))


def _reason(channel: Channel) -> str:
    """A working account has one only if something is to be said about it: what its checks found,
    else what the platform refused last."""
    return retell(channel.status_reason or channel.last_error)


def _words(channel: Channel) -> tuple[str, str, str, str]:
    """Tone, title, text, and what the button says."""
    if channel.status == Channel.Status.DISCONNECTED:
        title = _("%(account)s on %(channel)s is disconnected.")
        text = _("New messages are not arriving, and nothing can be sent from it.")
        return "bad", title, text, _("Reconnect")
    if channel.status == Channel.Status.NEEDS_REAUTH:
        title = _("%(account)s on %(channel)s needs to be reconnected.")
        text = retell(channel.status_reason) or _(
            "Replies wait in the queue until then."
        )
        return "bad", title, text, _("Reconnect")
    title = _("%(account)s on %(channel)s needs attention.")
    return "warn", title, _reason(channel), _("Look into it")
