"""Clears the demo away: the sandbox's accounts with all that hangs on them, and nothing real.

What belongs to an account that is not a sandbox stays, and so does whoever wrote to one.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.db.models import QuerySet

from channels_meta.models import RawEvent
from channels_meta.sandbox.accounts import forget_world
from dexra.demo.seeding import ADMIN, COLLEAGUE, EMAIL_DOMAIN, GROUP
from dexra.demo.stories import CANNED, TAGS
from inbox.models import (
    Agent,
    CannedReply,
    Channel,
    ChannelIdentity,
    Contact,
    Conversation,
    Message,
    Tag,
)
from webhooks import endpoints
from webhooks.models import EchoedRequest, Endpoint, Event

# An id between quotes is a whole JSON string: text that mentions it has its quotes escaped.
JOURNAL_OF = """
select id from channels_meta_rawevent r
 where exists (select 1 from unnest(%s::text[]) a(id)
                where position(convert_to('"' || a.id || '"', 'utf8') in r.body) > 0)
"""

# Events of no conversation (a person, an account) tell the channel in their body alone.
EVENTS_OF = """
select id from webhooks_event e
 where e.conversation_id is null
   and exists (select 1 from unnest(%s::text[]) c(id)
                where position(convert_to('"' || c.id || '"', 'utf8') in e.body) > 0)
"""


@dataclass(frozen=True)
class Demo:
    """What there is of the demo, now."""

    channels: list[Channel]
    conversations: int
    colleague: Agent | None
    endpoints: list[Endpoint]
    # Accounts that are not the demo's.
    spared: list[Channel]

    @property
    def exists(self) -> bool:
        return bool(self.channels or self.colleague or self.endpoints)


def find_demo() -> Demo:
    channels = list(Channel.objects.order_by("pk"))
    pretended = [channel for channel in channels if channel.is_sandbox]
    return Demo(
        channels=pretended,
        conversations=Conversation.objects.filter(channel__in=pretended).count(),
        colleague=_demo_agents().filter(username=COLLEAGUE).first(),
        endpoints=list(_echo_endpoints()),
        spared=[channel for channel in channels if not channel.is_sandbox],
    )


def has_admin() -> bool:
    return Agent.objects.filter(username=ADMIN, is_active=True).exists()


@transaction.atomic
def clear(demo: Demo) -> None:
    """Delete it, all or nothing."""
    channel_ids = [channel.pk for channel in demo.channels]
    _forget_events(demo)
    _delete_by_body(
        RawEvent, JOURNAL_OF, [channel.external_id for channel in demo.channels]
    )
    people = list(
        ChannelIdentity.objects.filter(channel__in=channel_ids).values_list(
            "contact_id", flat=True
        )
    )
    # Messages first: some are of no conversation, and all of them hold on to their channel.
    Message.objects.filter(channel__in=channel_ids).delete()
    Conversation.objects.filter(channel__in=channel_ids).delete()
    ChannelIdentity.objects.filter(channel__in=channel_ids).delete()
    Contact.objects.filter(pk__in=people, identities=None, site_user_id=None).delete()
    Channel.objects.filter(pk__in=channel_ids).delete()
    forget_world()
    _forget_unused_tags()
    _forget_canned_replies()
    if demo.colleague:
        demo.colleague.delete()
    Group.objects.filter(name=GROUP, user=None).delete()


def _forget_events(demo: Demo) -> None:
    for endpoint in demo.endpoints:
        endpoints.delete(endpoint)
    EchoedRequest.objects.all().delete()
    Event.objects.filter(conversation__channel__in=demo.channels).delete()
    _delete_by_body(Event, EVENTS_OF, [channel.public_id for channel in demo.channels])


def _delete_by_body(model: type[RawEvent | Event], sql: str, names: list[str]) -> None:
    """Delete the rows that a statement finds by these names in their bodies."""
    with connection.cursor() as cursor:
        cursor.execute(sql, [names])
        ids = [row[0] for row in cursor.fetchall()]
    model._default_manager.filter(pk__in=ids).delete()


def _forget_unused_tags() -> None:
    for tag in Tag.objects.filter(name__in=TAGS):
        if not Conversation.objects.filter(tags__contains=[tag.pk]).exists():
            tag.delete()


def _forget_canned_replies() -> None:
    """Those that nobody has made their own by changing them."""
    for shortcut, title, content, actions in CANNED:
        CannedReply.objects.filter(
            shortcut=shortcut, title=title, content=content, actions=actions
        ).delete()


def _demo_agents() -> QuerySet[Agent]:
    return Agent.objects.filter(email__endswith=f"@{EMAIL_DOMAIN}")


def _echo_endpoints() -> QuerySet[Endpoint]:
    """By their path: the port may have been another one."""
    return Endpoint.objects.filter(
        url__startswith="http://127.0.0.1:", url__endswith="/sandbox/echo/hook"
    )
