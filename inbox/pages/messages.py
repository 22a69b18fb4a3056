"""Messages of a conversation: send, note, look again, retry, discard, react."""

from __future__ import annotations

from typing import Any, cast

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from inbox.actions import react as react_to
from inbox.channels import TemplateUse
from inbox.content import LocalFile, read_file
from inbox.conversations import add_note
from inbox.errors import ContentInvalid
from inbox.media import SentFile
from inbox.models import Conversation, Message, Source
from inbox.outbound import discard_message, queue_reply, retry_message
from inbox.pages import thread
from inbox.pages.acts import REACTIONS
from inbox.pages.composer import NOTE, Choice
from inbox.pages.conversations import find_conversation
from inbox.pages.http import AgentRequest, agent_page
from inbox.pages.templates import read_use
from inbox.pages.writing import (
    answer_thread,
    find_message,
    may_write,
    settle,
    shown_to,
    write,
)


@agent_page
@require_http_methods(["GET", "POST"])
def messages(request: AgentRequest, pk: int) -> HttpResponse:
    if request.method == "POST":
        return send(request, pk)
    return refresh(request, pk)


@require_GET
def refresh(request: AgentRequest, pk: int) -> HttpResponse:
    """What is before a cursor; or, to draw again, everything from the first message still shown.

    since: the revision the page has; 204 if the conversation is still at it.
    """
    conversation = find_conversation(request, pk)
    if cursor := request.GET.get("before", ""):
        older = thread.before(conversation, cursor)
        return answer_thread(request, "inbox/_older.html", older)
    if request.GET.get("since") == str(conversation.revision):
        return HttpResponse(status=204)
    shown = shown_to(request, conversation)
    return answer_thread(request, "inbox/_messages.html", shown)


@may_write
def send(request: AgentRequest, pk: int) -> HttpResponse:
    """Queue a reply. The same key is the same message, however often it is posted."""
    conversation = find_conversation(request, pk)

    def queue(values: dict[str, Any]) -> None:
        queue_reply(
            conversation=conversation,
            source=Source.AGENT,
            author=request.user,
            content="" if values["template"] else values["content"],
            media=_files(request, conversation),
            template=_template(request, conversation, values["template"]),
            client_key=values["key"],
            reply_to=_quoted(conversation, values["reply_to"]),
        )

    return write(request, conversation, _choice_posted(request), queue)


def _choice_posted(request: AgentRequest) -> Choice:
    """The composer that was posted, to bring it back as it was."""

    def number(name: str) -> int | None:
        text = request.POST.get(name, "")
        return int(text) if text.isdecimal() and len(text) < 19 else None

    return Choice(
        quote=number("reply_to"),
        template=number("template"),
        values=request.POST.dict(),
    )


def _files(request: AgentRequest, conversation: Conversation) -> list[LocalFile]:
    limits = conversation.channel.adapter.limits
    files = cast("list[SentFile]", request.FILES.getlist("files"))
    return [read_file(file, limits) for file in files]


def _template(
    request: AgentRequest, conversation: Conversation, pk: int | None
) -> TemplateUse | None:
    if pk is None:
        return None
    template = conversation.channel.templates.filter(pk=pk).first()
    if template is None:
        raise ContentInvalid(_("Choose a template first."), param="template")
    return read_use(template, request.POST.dict())


def _quoted(conversation: Conversation, pk: int | None) -> Message | None:
    if pk is None:
        return None
    message = conversation.messages.filter(pk=pk).first()
    if message is None:
        raise ContentInvalid(
            _("The message you answer to is not there any more."), param="reply_to"
        )
    return message


@agent_page
@require_POST
@may_write
def note(request: AgentRequest, pk: int) -> HttpResponse:
    conversation = find_conversation(request, pk)

    def add(values: dict[str, Any]) -> None:
        add_note(
            conversation=conversation,
            author=request.user,
            content=values["content"],
            client_key=values["key"],
        )

    return write(request, conversation, Choice(NOTE), add)


@agent_page
@require_POST
@may_write
def retry(request: AgentRequest, pk: int) -> HttpResponse:
    message = find_message(request, pk)
    return settle(
        request,
        message.conversation,
        lambda: retry_message(message=message, by=request.user),
    )


@agent_page
@require_POST
@may_write
def discard(request: AgentRequest, pk: int) -> HttpResponse:
    message = find_message(request, pk)
    return settle(
        request,
        message.conversation,
        lambda: discard_message(message=message, by=request.user),
    )


@agent_page
@require_POST
@may_write
def react(request: AgentRequest, pk: int) -> HttpResponse:
    """React to a customer's message; with no emoji, take the reaction back."""
    message = find_message(request, pk)

    def queue() -> None:
        emoji = request.POST.get("emoji", "")
        if emoji and emoji not in REACTIONS:
            raise ContentInvalid(_("Choose one of the reactions."), param="emoji")
        react_to(message=message, emoji=emoji, author=request.user)

    return settle(request, message.conversation, queue)
