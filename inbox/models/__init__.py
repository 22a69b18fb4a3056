from inbox.models.actions import ChannelAction
from inbox.models.agents import Agent, Team
from inbox.models.api_keys import ApiKey
from inbox.models.channels import Channel
from inbox.models.contacts import ChannelIdentity, Contact
from inbox.models.conversations import Conversation, ConversationQuerySet, Tag
from inbox.models.erasures import Erasure
from inbox.models.fetches import Fetch, Import
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

__all__ = [
    "IN_FLIGHT",
    "Agent",
    "ApiKey",
    "Attachment",
    "Channel",
    "ChannelAction",
    "ChannelIdentity",
    "Contact",
    "Conversation",
    "ConversationQuerySet",
    "Direction",
    "Erasure",
    "Fetch",
    "Import",
    "Message",
    "MessageQuerySet",
    "MessageTemplate",
    "MessageType",
    "Reaction",
    "Source",
    "Status",
    "Tag",
    "Team",
]
