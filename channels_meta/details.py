"""What the notice of a comment or mention left out: when, where, by whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from channels_meta.graph import GraphClient
from inbox.channels import Details


def fetch_details(
    client: GraphClient, external_id: str, extra: Mapping[str, Any]
) -> Details:
    raise NotImplementedError
