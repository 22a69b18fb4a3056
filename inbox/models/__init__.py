from inbox.models.actions import ChannelAction
from inbox.models.agents import Agent, Team
from inbox.models.api_keys import Actor, ApiKey, IdempotentAnswer, Scope
from inbox.models.channels import Channel
from inbox.models.contacts import (
    CONTACT_WORDS,
    IDENTITY_WORDS,
    PHONE_DIGITS,
    ChannelIdentity,
    Contact,
)
from inbox.models.conversations import (
    Conversation,
    ConversationQuerySet,
    Priority,
    Tag,
)
from inbox.models.desk import (
    AuditEntry,
    CannedReply,
    Draft,
    Mention,
    NotificationKind,
    Preferences,
    SavedView,
)
from inbox.models.erasures import Erasure
from inbox.models.fetches import Fetch, Import
from inbox.models.merges import Merge
from inbox.models.messages import (
    IN_FLIGHT,
    Attachment,
    Direction,
    Message,
    MessageQuerySet,
    MessageType,
    Reaction,
    Source,
    Status,
)
from inbox.models.templates import MessageTemplate
from inbox.models.uploads import StagedFile

__all__ = [
    "CONTACT_WORDS",
    "IDENTITY_WORDS",
    "IN_FLIGHT",
    "PHONE_DIGITS",
    "Actor",
    "Agent",
    "ApiKey",
    "Attachment",
    "AuditEntry",
    "CannedReply",
    "Channel",
    "ChannelAction",
    "ChannelIdentity",
    "Contact",
    "Conversation",
    "ConversationQuerySet",
    "Direction",
    "Draft",
    "Erasure",
    "Fetch",
    "IdempotentAnswer",
    "Import",
    "Mention",
    "Merge",
    "Message",
    "MessageQuerySet",
    "MessageTemplate",
    "MessageType",
    "NotificationKind",
    "Preferences",
    "Priority",
    "Reaction",
    "SavedView",
    "Scope",
    "Source",
    "StagedFile",
    "Status",
    "Tag",
    "Team",
]
