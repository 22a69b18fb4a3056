"""The person beside the thread: who they are, how we know, what was before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db.models import Count
from django.urls import reverse

from inbox.models import Agent, ChannelIdentity, Contact, Conversation, Tag
from inbox.pages.rows import Badge, Snippet, badge_of, snippet_of

MAX_PAST = 5
MAX_IDENTITIES = 10


@dataclass(frozen=True, slots=True)
class Past:
    conversation: Conversation
    badge: Badge
    snippet: Snippet


@dataclass(frozen=True, slots=True)
class Panel:
    conversation: Conversation
    contact: Contact
    identities: list[ChannelIdentity] = field(default_factory=list)
    details: list[tuple[str, str]] = field(default_factory=list)
    tags: list[Tag] = field(default_factory=list)
    past: list[Past] = field(default_factory=list)
    contact_admin_url: str = ""
    conversation_admin_url: str = ""


def build_panel(
    conversation: Conversation, agent: Agent, *, tags: Mapping[int, Tag]
) -> Panel:
    contact = conversation.identity.contact
    identities = (
        ChannelIdentity.objects.filter(contact=contact)
        .select_related("channel")
        .annotate(chats=Count("conversations"))
        .order_by("pk")[:MAX_IDENTITIES]
    )
    past = (
        Conversation.objects.visible_to(agent)
        .filter(identity__contact=contact)
        .exclude(pk=conversation.pk)
        .with_parties()
        .newest_first()[:MAX_PAST]
    )
    return Panel(
        conversation=conversation,
        contact=contact,
        identities=list(identities),
        details=[(name, _plain(value)) for name, value in contact.attributes.items()],
        tags=[tags[pk] for pk in conversation.tags if pk in tags],
        past=[Past(one, badge_of(one), snippet_of(one)) for one in past],
        contact_admin_url=_admin_url(agent, contact),
        conversation_admin_url=_admin_url(agent, conversation),
    )


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return str(value)


def _admin_url(agent: Agent, thing: Contact | Conversation) -> str:
    """Its page in the admin, for those who may look there; "" for others."""
    name = thing._meta.model_name
    if not agent.has_perm(f"inbox.view_{name}"):
        return ""
    return reverse(f"admin:inbox_{name}_change", args=[thing.pk])
