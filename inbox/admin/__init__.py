"""The inbox's models in the admin, one file per noun."""

from inbox.admin import (
    agents,
    api_keys,
    channels,
    contacts,
    conversations,
    desk,
    fetches,
    messages,
)

__all__ = [
    "agents",
    "api_keys",
    "channels",
    "contacts",
    "conversations",
    "desk",
    "fetches",
    "messages",
]
