"""Messages of a conversation: send, note, look again, retry, discard, react."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from inbox.actions import react as react_to
from inbox.channels import TemplateUse
from inbox.content import split_text
from inbox.conversations import add_note
from inbox.desk import write_reply
from inbox.drafts import Written, drop_sent, put_back
from inbox.errors import ContentInvalid, InboxError
from inbox.models import Conversation, Direction, Message, Source
from inbox.notes import remove_note, take_note_back
from inbox.outbound import (
    TakenBack,
    discard_message,
    queue_reply,
    retry_message,
    take_back,
)
from inbox.pages.acts import REACTIONS
from inbox.pages.composer import (
    NOTE,
    PRIVATE,
    PUBLIC,
    REPLY,
    Choice,
    ReplyForm,
    build_composer,
)
from inbox.pages.conversations import find_conversation, listing_of, page_of
from inbox.pages.http import AgentRequest, agent_page, is_fragment, render_fragments
from inbox.pages.posted import choices_of, sending_of, staged_files
from inbox.pages.stretches import stretch_around, stretch_beside, stretch_shown
from inbox.pages.templates import read_use
from inbox.pages.writing import (
    answer_thread,
    find_message,
    may_write,
    refused,
    settle,
    write,
)
from inbox.preferences import preferences_of


@agent_page
@require_http_methods(["GET", "POST"])
def messages(request: AgentRequest, pk: int) -> HttpResponse:
    if request.method == "POST":
        return send(request, pk)
    return refresh(request, pk)


@require_GET
def refresh(request: AgentRequest, pk: int) -> HttpResponse:
    """What lies before or after what the page shows, or around a message; or, to draw again,
    what there is from the first message still shown.

    since: the revision the page has; 204 if the conversation is still at it.
    """
    conversation = find_conversation(request, pk)
    shown = stretch_beside(request, conversation) or stretch_around(
        request, conversation
    )
    if shown is None:
        if request.GET.get("since") == str(conversation.revision):
            return HttpResponse(status=204)
        shown = stretch_shown(request, conversation)
    return answer_thread(request, "inbox/_stretch.html", shown)


@may_write
def send(request: AgentRequest, pk: int) -> HttpResponse:
    """Queue a reply. The same key is the same message, however often it is posted."""
    conversation = find_conversation(request, pk)

    def queue(form: ReplyForm) -> None:
        values = form.cleaned_data
        content = "" if values["template"] else values["content"]
        media = staged_files(request, conversation, form)
        template = _template(request, conversation, values["template"])
        quoted = _quoted(conversation, values["reply_to"])
        delay = timedelta(seconds=preferences_of(request.user).undo_seconds)
        write_reply(
            conversation=conversation,
            agent=request.user,
            sending=sending_of(request, form),
            content=content,
            queue=lambda: queue_reply(
                conversation=conversation,
                source=Source.AGENT,
                author=request.user,
                content=content,
                media=media,
                quick_replies=choices_of(form),
                template=template,
                client_key=values["key"],
                reply_to=quoted,
                is_split=bool(values["parts"]),
                delay=delay,
            ),
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

    def add(form: ReplyForm) -> None:
        values = form.cleaned_data
        sending = sending_of(request, form)
        with transaction.atomic():
            add_note(
                conversation=conversation,
                author=request.user,
                content=values["content"],
                client_key=values["key"],
            )
            drop_sent(request.user, conversation, {sending.key, sending.draft})

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
    """A reply that was not sent, or a note of one's own."""
    message = find_message(request, pk)
    remove = remove_note if message.direction == Direction.NOTE else discard_message
    return settle(
        request,
        message.conversation,
        lambda: remove(message=message, by=request.user),
    )


@agent_page
@require_POST
@may_write
def bring_back(request: AgentRequest, pk: int) -> HttpResponse:
    """Undo a reply that still waits or a note just written, or edit a reply that failed: it
    stands in the composer again."""
    message = find_message(request, pk)
    conversation = find_conversation(request, message.conversation.pk)
    try:
        with transaction.atomic():
            written = _taken_back(request, message)
            put_back(agent=request.user, conversation=conversation, written=written)
    except InboxError as refusal:
        return refused(request, conversation, refusal)
    mode, about = written.mode, written.about.pk if written.about else None
    choice = Choice(mode, about=about) if mode != REPLY else Choice(quote=about)
    if not is_fragment(request):
        url = page_of(listing_of(request), conversation)
        joint = "&" if "?" in url else "?"
        subject = f"&about={about}" if about else ""
        return redirect(url if mode == REPLY else f"{url}{joint}mode={mode}{subject}")
    conversation = find_conversation(request, conversation.pk)
    context = {
        "thread": stretch_shown(request, conversation),
        "conversation": conversation,
        "composer": build_composer(conversation, request.user, choice),
        "listing": listing_of(request),
        "is_page": False,
    }
    return render_fragments(
        request, ["inbox/_stretch.html", "inbox/_composer.html"], context
    )


def _taken_back(request: AgentRequest, message: Message) -> Written:
    """What it was, for a composer of its kind. Raises StateForbids where it is too late."""
    if message.direction == Direction.NOTE:
        return Written(NOTE, take_note_back(message=message, by=request.user))
    taken = take_back(message=message, by=request.user)
    return Written(_mode_of(taken), taken.text, about=taken.about)


def _mode_of(taken: TakenBack) -> str:
    if taken.is_private_reply:
        return PRIVATE
    return PUBLIC if taken.is_public_reply else REPLY


@agent_page
@require_POST
@may_write
def parts(request: AgentRequest, pk: int) -> HttpResponse:
    """As what messages a long text would go."""
    conversation = find_conversation(request, pk)
    text = request.POST.get("content", "").replace("\r\n", "\n")
    limit = conversation.channel.adapter.limits.text
    return render_fragments(
        request, ["inbox/composer/_parts.html"], {"parts": split_text(text, limit)}
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
