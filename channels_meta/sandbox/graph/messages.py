"""POST /{node}/messages: a message, a private reply to a comment, or a sender action."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.http import HttpResponse, JsonResponse
from django.utils.timezone import now

from channels_meta.sandbox import clock, errors, faults, webhooks, windows
from channels_meta.sandbox.errors import GraphError
from channels_meta.sandbox.faults import Fault
from channels_meta.sandbox.graph import content, signals
from channels_meta.sandbox.graph.content import Content
from channels_meta.sandbox.graph.door import (
    Call,
    check_rate,
    check_switch,
    graph_view,
    note,
)
from channels_meta.sandbox.graph.parameters import as_dict, as_text
from channels_meta.sandbox.models import (
    PUBLIC_KINDS,
    SandboxAccount,
    SandboxCall,
    SandboxMessage,
    SandboxPerson,
)

# Meta's own limits a second (contract 7.1); of private replies, an hour.
SENDS_PER_SECOND = {"messenger": 300, "instagram": 100}
HEAVY_SENDS_PER_SECOND = 10
PRIVATE_REPLIES_PER_HOUR = 750
HOUR_SECONDS = 3600

# How long (seconds) an answer keeps the echo's company waiting, where it is to be early.
EARLY_BY = 1.0


@dataclass(frozen=True, slots=True)
class Send:
    """What a call asks to be sent, checked. comment: the one that it answers in private."""

    person: SandboxPerson
    content: Content
    reply_to: str
    comment: SandboxMessage | None


@graph_view("POST")
def send_message(call: Call, node: str) -> HttpResponse:
    """The limits and the window are checked, then the phone has it."""
    account = call.own(node)
    recipient = as_dict(call.data.get("recipient"))
    comment = _comment(call, recipient)
    person = comment.person if comment else call.person(recipient.get("id"))
    account = person.account if person else account
    if "sender_action" in call.data:
        return signals.perform(call, account, person)
    try:
        response = _answer_send(call, account, person, comment)
    except GraphError as error:
        refusal = error.response(call.host, account.language)
        _record(call, account, person, refusal, error.label)
        raise
    return response


def _comment(call: Call, recipient: dict[str, Any]) -> SandboxMessage | None:
    """The comment or visitor post that is answered in private; None for a plain message.

    Raises GraphError for one that there is not, or that these accounts do not see.
    """
    named = recipient.get("comment_id") or recipient.get("post_id")
    if not named:
        return None
    found = (
        SandboxMessage.objects.select_related("person__account__page")
        .filter(
            mid=as_text(named),
            kind__in=PUBLIC_KINDS,
            person__account__in=call.accounts(),
        )
        .first()
    )
    if found is None or found.direction == SandboxMessage.Direction.OUT:
        raise errors.no_such_object(as_text(named))
    return found


def _answer_send(
    call: Call,
    account: SandboxAccount,
    person: SandboxPerson | None,
    comment: SandboxMessage | None,
) -> HttpResponse:
    check_may_send(call, account)
    fault = faults.strike(account, *faults.OF_SENDS)
    kind = fault.kind if fault else ""
    if fault:
        _refuse_by(fault.kind, fault.value, call, account)
    if kind == Fault.CONNECTION_LOST:
        response = _broken_off()
        _record(call, account, person, response, str(response.status_code))
        return response
    if person is None:
        raise errors.no_such_person(is_instagram=account.is_instagram)
    send = _checked(call, account, person, comment)
    message = _store(send)
    if kind == Fault.TIMEOUT_AFTER_SEND:
        # The echo is on its way all the same, later than anybody waits for the answer.
        _report(message, send, is_late=True)
        response = HttpResponse("<html><body>Gateway Timeout</body></html>", status=504)
        _record(call, account, person, response, "504")
        return response
    # The echo may well come before the answer: Meta promises no order.
    _report(message, send)
    if faults.strikes(account, Fault.EARLY_ECHO):
        time.sleep(EARLY_BY)
    if kind == Fault.SENT_BUT_ERROR:
        raise GraphError(1, "An unknown error occurred", 1357046)
    response = JsonResponse(_answer(call, send, message))
    _record(call, account, person, response, message.mid)
    return response


def check_may_send(call: Call, account: SandboxAccount) -> None:
    """Raises GraphError without the permission, or with access to messages switched off."""
    if account.is_instagram:
        call.needs("instagram_manage_messages", "instagram_business_manage_messages")
    else:
        call.needs("pages_messaging")
    check_switch(call, account)


def _refuse_by(kind: str, value: str, call: Call, account: SandboxAccount) -> None:
    """Raises the GraphError that a fault stands for, if it is one of those that refuse."""
    if kind == Fault.TOKEN:
        raise errors.token_invalid(int(value or 460))
    if kind == Fault.THROTTLE:
        code = int(value) if value else None
        raise errors.throttled(call.host, account.external_id, code=code)
    if kind == Fault.UNAVAILABLE:
        raise GraphError(551, "(#551) This person isn't available right now.")
    if kind == Fault.REFUSED:
        subcode = content.BAD_INSTAGRAM_MESSAGE if account.is_instagram else None
        raise errors.bad_parameter("Invalid parameter", subcode)


def _broken_off() -> HttpResponse:
    """Promises a body that never comes: the server has to close the connection."""
    return HttpResponse(status=502, headers={"Content-Length": "64"})


# --- what may be sent --------------------------------------------------------------------------------


def _checked(
    call: Call,
    account: SandboxAccount,
    person: SandboxPerson,
    comment: SandboxMessage | None,
) -> Send:
    """Raises GraphError for what the platform would not send."""
    checked = content.check(account, as_dict(call.data.get("message")))
    is_heavy = checked.kind in {"audio", "video"}
    limit = HEAVY_SENDS_PER_SECOND if is_heavy else SENDS_PER_SECOND[account.kind]
    check_rate(call, account, "heavy" if is_heavy else "send", limit=limit)
    if account.has_routing and person.held_by:
        raise errors.thread_of_other_app(is_instagram=account.is_instagram)
    if comment is not None:
        _check_private_reply(call, account, comment)
    else:
        _check_right(call, account, person, checked)
    reply_to = as_text(as_dict(call.data.get("reply_to")).get("mid"))
    if reply_to and not person.messages.filter(mid=reply_to).exists():
        raise errors.bad_parameter(
            "Param reply_to[mid] is not a message of this thread"
        )
    return Send(person, checked, reply_to, comment)


def _check_private_reply(
    call: Call, account: SandboxAccount, comment: SandboxMessage
) -> None:
    """Once, within seven days, and only while the comment is there."""
    if account.is_instagram:
        call.needs("instagram_manage_comments", "instagram_business_manage_comments")
    is_used = comment.answered_privately_at is not None
    is_over = clock.is_over(comment.sent_at, windows.PRIVATE_REPLY_LASTS)
    if is_used or is_over or comment.unsent_at:
        raise errors.private_reply_refused(
            is_instagram=account.is_instagram, is_used=is_used
        )
    check_rate(
        call,
        account,
        "private",
        limit=PRIVATE_REPLIES_PER_HOUR,
        seconds=HOUR_SECONDS,
    )


def _check_right(
    call: Call, account: SandboxAccount, person: SandboxPerson, checked: Content
) -> None:
    """24 hours from the person's last act, 7 days with the Human Agent tag, a template always."""
    kind, tag = call.data.get("messaging_type"), call.data.get("tag")
    if "template" in checked.extra or kind == "UTILITY":
        _check_utility(call, account, checked)
        return
    if kind == "MESSAGE_TAG" or tag:
        if tag != "HUMAN_AGENT":  # the others ended on 2026-04-27
            raise errors.bad_parameter("Invalid tag")
        if not account.has_human_agent:
            raise GraphError(10, "(#10) Requires the Human Agent feature")
        is_open = windows.is_open(person, with_tag=True)
    else:
        is_open = windows.is_open(person)
    if not is_open:
        raise errors.window_closed(call.host, is_instagram=account.is_instagram)


def _check_utility(call: Call, account: SandboxAccount, checked: Content) -> None:
    if account.is_instagram or call.data.get("messaging_type") != "UTILITY":
        raise errors.bad_parameter(
            "Templates are sent as UTILITY messages on Messenger"
        )
    if "template" not in checked.extra:
        raise errors.bad_parameter("A UTILITY message needs a template")
    call.needs("page_utility_messaging")


# --- and what then happens ---------------------------------------------------------------------------


@transaction.atomic
def _store(send: Send) -> SandboxMessage:
    """Put it on the phone. A reply also marks what the person wrote as seen."""
    at = _whole_milliseconds(now())
    person = send.person
    person.messages.filter(direction="in", seen_at=None).update(seen_at=at)
    SandboxPerson.objects.filter(pk=person.pk).update(typing_since=None)
    extra = dict(send.content.extra)
    if len(send.content.parts) > 1:
        extra["parts"] = send.content.parts
    if send.comment is not None:
        extra["about"] = send.comment.mid
        SandboxMessage.objects.filter(pk=send.comment.pk).update(
            answered_privately_at=at
        )
    return SandboxMessage.objects.create(
        person=person,
        mid=webhooks.make_mid(person.account),
        direction=SandboxMessage.Direction.OUT,
        text=send.content.text,
        kind=send.content.kind,
        media_url=send.content.media_url,
        reply_to_mid=send.reply_to,
        sent_at=at,
        delivered_at=None if person.account.is_instagram else at,
        extra=extra,
    )


def _report(message: SandboxMessage, send: Send, *, is_late: bool = False) -> None:
    """The echo; and on Messenger, that the phone has it."""
    person = send.person
    told = SandboxCall.Kind
    echo = webhooks.build_echo(
        person,
        mid=message.mid,
        at=message.sent_at,
        text=message.text,
        attachments=send.content.attachments,
        reply_to=message.reply_to_mid,
        metadata=send.content.metadata,
    )
    held_for = webhooks.ECHO_LATE_BY if is_late else None
    webhooks.tell(person, told.ECHO, echo, summary=message.mid, held_for=held_for)
    if message.delivered_at:
        delivery = webhooks.build_delivery(
            person, mids=[message.mid], at=message.delivered_at
        )
        webhooks.tell(
            person, told.DELIVERY, delivery, summary=message.mid, held_for=held_for
        )


def _answer(call: Call, send: Send, message: SandboxMessage) -> dict[str, Any]:
    answer = {"recipient_id": send.person.external_id, "message_id": message.mid}
    uploaded = next(
        (part["attachment_id"] for part in send.content.parts if "attachment_id" in part),
        None,
    )  # fmt: skip
    if uploaded:
        answer["attachment_id"] = uploaded
    return answer


def _whole_milliseconds(moment: datetime) -> datetime:
    """Meta's clock has no more, and a receipt must not be older than its message."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _record(
    call: Call,
    account: SandboxAccount,
    person: SandboxPerson | None,
    response: HttpResponse,
    summary: str,
) -> None:
    note(
        call,
        account,
        SandboxCall.Kind.SEND,
        response,
        person=person,
        summary=summary,
    )
