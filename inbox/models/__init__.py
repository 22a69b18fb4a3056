from inbox.models.agents import Agent, Team
from inbox.models.api_keys import ApiKey
from inbox.models.channels import Channel
from inbox.models.contacts import ChannelIdentity, Contact
from inbox.models.conversations import Conversation, ConversationQuerySet, Tag
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

__all__ = [
    "IN_FLIGHT",
    "Agent",
    "ApiKey",
    "Attachment",
    "Channel",
    "ChannelIdentity",
    "Contact",
    "Conversation",
    "ConversationQuerySet",
    "Direction",
    "Message",
    "MessageQuerySet",
    "MessageType",
    "Reaction",
    "Source",
    "Status",
    "Tag",
    "Team",
]
