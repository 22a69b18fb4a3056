"""Who looks at a conversation, who writes in it, and who took it by beginning to write.

Pages say so every few seconds; Redis keeps it for a little longer than that, and nothing else
does. Nothing is locked by it, and without Redis nobody is seen.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import redis

from inbox import live
from inbox.models import Agent, Conversation
from inbox.redis import redis_client

logger = logging.getLogger(__name__)

# A page that is looked at says so every 20 s, one that is written in every 5 s (presence.js).
VIEWING_SECONDS = 50
WRITING_SECONDS = 12
# Whoever began to write is shown as taking the conversation until they stop for this long.
CLAIM_SECONDS = 60


class State(StrEnum):
    """What a page says of its agent."""

    VIEWING = "viewing"
    WRITING = "writing"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Presence:
    """Agents by id. claim: who took it by beginning to write."""

    viewers: tuple[int, ...] = ()
    writers: tuple[int, ...] = ()
    claim: int | None = None

    def without(self, agent: Agent) -> Presence:
        """As this agent sees it: everybody else."""
        return Presence(
            tuple(pk for pk in self.viewers if pk != agent.pk),
            tuple(pk for pk in self.writers if pk != agent.pk),
            None if self.claim == agent.pk else self.claim,
        )


# One step, so that two who begin to write at once do not both take it. Every key expires.
# Returns whether others see a difference, whether the claim changed, viewers, writers, claim.
_NOTE = """
local viewing, writing, claim = KEYS[1], KEYS[2], KEYS[3]
local agent, state, may_claim = ARGV[1], ARGV[2], ARGV[3] == '1'
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', viewing, '-inf', now)
redis.call('ZREMRANGEBYSCORE', writing, '-inf', now)
local was = 'left'
if redis.call('ZSCORE', viewing, agent) then was = 'viewing' end
if redis.call('ZSCORE', writing, agent) then was = 'writing' end
if state == 'left' then
  redis.call('ZREM', viewing, agent)
else
  redis.call('ZADD', viewing, now + ARGV[4], agent)
  redis.call('EXPIRE', viewing, ARGV[4])
end
if state == 'writing' then
  redis.call('ZADD', writing, now + ARGV[5], agent)
  redis.call('EXPIRE', writing, ARGV[5])
else
  redis.call('ZREM', writing, agent)
end
local holder, claimed = redis.call('GET', claim), 0
if state == 'writing' and holder == agent then
  redis.call('EXPIRE', claim, ARGV[6])
elseif state == 'writing' and not holder and may_claim then
  redis.call('SET', claim, agent, 'EX', ARGV[6])
  holder, claimed = agent, 1
elseif state == 'left' and holder == agent then
  redis.call('DEL', claim)
  holder, claimed = false, 1
end
return {was ~= state and 1 or 0, claimed, redis.call('ZRANGE', viewing, 0, -1),
        redis.call('ZRANGE', writing, 0, -1), holder or ''}
"""


def note(conversation: Conversation, agent: Agent, state: State) -> Presence:
    """A page says what its agent does; those who are concerned hear of a difference."""
    arguments = (agent.pk, state.value, int(conversation.assignee_id is None),
                 VIEWING_SECONDS, WRITING_SECONDS, CLAIM_SECONDS)  # fmt: skip
    try:
        answer: Any = redis_client().eval(
            _NOTE, 3, *_keys(conversation.pk), *map(str, arguments)
        )
    except redis.RedisError as error:
        logger.warning("presence.unheard error=%s", type(error).__name__)
        return Presence()
    is_different, is_claim, viewers, writers, claim = answer
    found = Presence(_ids(viewers), _ids(writers), int(claim) if claim else None)
    _publish(conversation, agent, state, found, bool(is_different), bool(is_claim))
    return found


def _publish(
    conversation: Conversation,
    agent: Agent,
    state: State,
    found: Presence,
    is_different: bool,
    is_claim: bool,
) -> None:
    """The rows of all show a claim; who comes and goes concerns those alone who are here too."""
    others = found.without(agent).viewers
    if not is_claim and not (is_different and others):
        return
    what: str = state.value
    if is_claim:
        what = "claimed" if found.claim else "released"
    change = live.Change(
        "presence",
        conversation.pk,
        channel_id=conversation.channel_id,
        team_id=conversation.team_id,
        assignee_id=conversation.assignee_id,
        what=what,
        by=agent.pk,
        only=() if is_claim else others,
    )
    live.publish([change])


def read(conversation: Conversation) -> Presence:
    """Who is there now, in one question to Redis."""
    viewing, writing, claim = _keys(conversation.pk)
    moment = f"({time.time():.0f}"
    try:
        with redis_client().pipeline(transaction=False) as pipe:
            pipe.zrangebyscore(viewing, moment, "+inf")
            pipe.zrangebyscore(writing, moment, "+inf")
            pipe.get(claim)
            viewers, writers, holder = pipe.execute()
    except redis.RedisError:
        return Presence()
    return Presence(_ids(viewers), _ids(writers), int(holder) if holder else None)


def claims_of(conversation_ids: Sequence[int]) -> dict[int, int]:
    """Conversation to the agent who took it by writing, for those that somebody did."""
    if not conversation_ids:
        return {}
    try:
        found: Any = redis_client().mget([_keys(pk)[2] for pk in conversation_ids])
    except redis.RedisError:
        return {}
    pairs = zip(conversation_ids, found, strict=True)
    return {pk: int(holder) for pk, holder in pairs if holder}


@dataclass(frozen=True, slots=True)
class Claim:
    """Who began to answer a conversation, and how colleagues call them."""

    agent_id: int
    name: str


def names_on_it(conversation_ids: Sequence[int]) -> dict[int, Claim]:
    """By conversation, who has begun to answer it: one question to Redis, and one statement if anybody has."""
    holders = claims_of(conversation_ids)
    agents = Agent.objects.in_bulk(set(holders.values())) if holders else {}
    return {
        pk: Claim(holder, short_name(agents[holder]))
        for pk, holder in holders.items()
        if holder in agents
    }


def short_name(agent: Agent) -> str:
    """How colleagues call each other: "Yassine is writing a reply too"."""
    return agent.first_name or agent.username


def online() -> frozenset[int]:
    """Agents who have a page open; nobody while Redis is away."""
    try:
        found: Any = redis_client().zrangebyscore(
            live.ONLINE, f"({time.time():.0f}", "+inf"
        )
    except redis.RedisError:
        return frozenset()
    return frozenset(_ids(found))


def _ids(members: Iterable[bytes]) -> tuple[int, ...]:
    return tuple(int(member) for member in members)


def _keys(conversation_id: int) -> tuple[str, str, str]:
    return (
        f"dexra:viewing:{conversation_id}",
        f"dexra:writing:{conversation_id}",
        f"dexra:claim:{conversation_id}",
    )
