"""What is still to be asked of the channels: noted here, answered by a worker later."""

from __future__ import annotations

from inbox.channels import Ability
from inbox.inbound.batch import Batch, Key, columns, execute
from inbox.inbound.items import Act, InboundMessage
from inbox.models import Fetch, MessageType

ASK = """
insert into inbox_fetch (channel_id, kind, subject_id)
select * from unnest(%s::bigint[], %s::text[], %s::bigint[])
    on conflict (kind, subject_id) do nothing
"""

# A comment that came without its author has nobody to ask about.
NOBODY = "comment:"


def ask(batch: Batch) -> bool:
    """Write down the batch's questions, if it has any; whether it had."""
    _ask_about_people(batch)
    if not batch.questions:
        return False
    execute(ASK, *columns(sorted(set(batch.questions)), 3))
    return True


def _ask_about_people(batch: Batch) -> None:
    """Who a stranger is; and what was said before, if this is not how it was said.

    A person known by comments alone is a stranger still: platforms tell more of those who wrote.
    """
    wrote: set[Key] = set()
    reported: set[Key] = set()
    for arrival in batch.arrivals:
        item = arrival.item
        if isinstance(item, InboundMessage) and item.type != MessageType.COMMENT:
            key = (arrival.channel_id, item.person_id)
            wrote.add(key)
            if not arrival.recovered:
                reported.add(key)
        elif isinstance(item, Act) and item.opens_conversation:
            wrote.add((arrival.channel_id, item.person_id))
    remembers: dict[int, bool] = {}
    for key in batch.strangers | (batch.silent & wrote):
        channel_id, person_id = key
        if person_id.startswith(NOBODY):
            continue
        identity_id = batch.identities[key]
        batch.questions.append((channel_id, Fetch.Kind.PROFILE.value, identity_id))
        if key in reported:
            if channel_id not in remembers:
                channel = batch.channels[channel_id]
                abilities = channel.adapter.abilities(channel)
                remembers[channel_id] = Ability.HISTORY in abilities
            if remembers[channel_id]:
                batch.questions.append(
                    (channel_id, Fetch.Kind.HISTORY.value, identity_id)
                )
