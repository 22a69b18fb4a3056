"""Who a person is, as far as Meta tells."""

from __future__ import annotations

from channels_meta.graph import GraphClient
from inbox.channels import Profile


def fetch_profile(client: GraphClient, external_id: str) -> Profile:
    raise NotImplementedError
