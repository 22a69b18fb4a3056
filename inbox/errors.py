"""Refusals: what Dexra will not do, with a code for programs and a sentence for people."""

import re
from itertools import accumulate

from django.utils.functional import Promise
from django.utils.translation import gettext

_SENTENCES = re.compile(r"(?<=[.!?]) ")


def retell(stored: str) -> str:
    """A reason that a worker wrote down in English, in the reader's language.

    It is one sentence of ours or several; what we have no translation of (a name is in it, it is
    the platform's own) stays as it is.
    """
    told, rest = [], _SENTENCES.split(stored)
    while rest:
        known = (
            (count, translated)
            for count, said in enumerate(accumulate(rest, "{} {}".format), start=1)
            if said and (translated := gettext(said)) != said
        )
        count, translated = next(known, (1, rest[0]))
        told.append(translated)
        rest = rest[count:]
    return " ".join(told)


class InboxError(Exception):
    """A refusal. Pages show `detail` in a 422 fragment, the API answers a problem body.

    code: stable and public. status: the HTTP status of the API's answer (409 where the
    state forbids it, 422 where the input is wrong). param: the input at fault, if one is.
    """

    code = "refused"
    status = 422

    def __init__(self, detail: str | Promise, *, param: str = "") -> None:
        super().__init__(str(detail))
        self.detail = detail
        self.param = param


class ReplyWindowClosed(InboxError):
    code = "window_closed"
    status = 409


class ChannelUnavailable(InboxError):
    code = "channel_unavailable"
    status = 409


class ContentInvalid(InboxError):
    code = "content_invalid"


class ThreadHeld(InboxError):
    """Another app has the conversation at the channel: it has to be taken over first."""

    code = "thread_held"
    status = 409


class NotPossible(InboxError):
    """The account cannot do this, or not to this message any more."""

    code = "not_possible"
    status = 409


class KeyReused(InboxError):
    """One idempotency key came with two different bodies."""

    code = "idempotency_key_reused"


class StateForbids(InboxError):
    code = "state_forbids"
    status = 409
