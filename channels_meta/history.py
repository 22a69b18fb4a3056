"""The Conversations API: what Meta remembers of an account's conversations."""

from __future__ import annotations

from channels_meta.graph import GraphClient
from inbox.channels import HistoryPage


def fetch_history(
    client: GraphClient, *, kind: str, cursor: str = "", person_id: str = ""
) -> HistoryPage:
    raise NotImplementedError
