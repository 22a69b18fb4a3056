"""In which order a list stands, and so where its next page begins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from inbox.models import Conversation, ConversationQuerySet
from inbox.pages.cursors import Keyset

# Priorities stand further apart than any two moments do.
PRIORITY_STEP = 1e11


@dataclass(frozen=True, slots=True)
class Sort:
    """is_offered: in the menu; the others belong to a view of their own."""

    slug: str
    label: str | Promise
    keyset: Keyset
    is_offered: bool = True

    def order(self, conversations: ConversationQuerySet) -> ConversationQuerySet:
        return conversations.order_by(*self.keyset.ordering)

    def holds(self, at: datetime) -> Q:
        """Those that have a place in this order: who waits, whose window is open."""
        match self.slug:
            case "waiting":
                return Q(status=Conversation.Status.OPEN, waiting_since__isnull=False)
            case "closing":
                return Q(window_expires_at__gt=at)
            case "snoozed":
                return Q(snoozed_until__isnull=False)
            case _:
                return Q()

    def rank(self, conversation: Conversation) -> float:
        """Greater stands higher; static/js/rows.js moves rows by it."""
        *steps, last = (
            one.timestamp() if isinstance(one, datetime) else one * PRIORITY_STEP
            for one in self.keyset.values_of(conversation)
        )
        rank = sum(steps, last)
        return rank if self.keyset.is_descending else -rank


SORTS = {
    sort.slug: sort
    for sort in (
        Sort("newest", _("Newest first"), Keyset("newest", ("last_message_at",))),
        Sort(
            "oldest",
            _("Oldest first"),
            Keyset("oldest", ("last_message_at",), is_descending=False),
        ),
        Sort(
            "waiting",
            _("Waiting longest"),
            Keyset("waiting", ("waiting_since",), is_descending=False),
        ),
        Sort(
            "closing",
            _("Closing soonest"),
            Keyset("closing", ("window_expires_at",), is_descending=False),
        ),
        Sort(
            "snoozed",
            _("Back soonest"),
            Keyset("snoozed", ("snoozed_until",), is_descending=False),
            is_offered=False,
        ),
        Sort(
            "priority",
            _("Most urgent first"),
            Keyset("priority", ("priority", "last_message_at")),
            is_offered=False,
        ),
    )
}
