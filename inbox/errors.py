"""Refusals: what Dexra will not do, with a code for programs and a sentence for people."""

from django.utils.functional import Promise


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
