"""Comments: answer in public or in private, hide, show, like, delete."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_POST

from inbox.comment_rules import ACTION_KINDS, CommentAct
from inbox.comments import manage_comment, reply_privately, reply_publicly
from inbox.desk import write_reply
from inbox.models import Message, MessageType, Source
from inbox.outbound import Writer
from inbox.pages.composer import PRIVATE, PUBLIC, Choice, ReplyForm
from inbox.pages.conversations import find_conversation
from inbox.pages.http import AgentRequest, agent_page
from inbox.pages.posted import sending_of, staged_files
from inbox.pages.writing import find_message, may_write, settle, write
from inbox.preferences import preferences_of


@agent_page
@require_POST
@may_write
def reply(request: AgentRequest, pk: int, mode: str) -> HttpResponse:
    """mode: public or private. The same key is the same answer."""
    comment = find_message(request, pk)
    conversation = find_conversation(request, comment.conversation.pk)
    if comment.type != MessageType.COMMENT or mode not in {PUBLIC, PRIVATE}:
        raise Http404

    def queue(form: ReplyForm) -> None:
        write_reply(
            conversation=conversation,
            agent=request.user,
            sending=sending_of(request, form),
            content=form.cleaned_data["content"],
            queue=_answer(request, comment, mode, form),
        )

    return write(request, conversation, Choice(mode, about=pk), queue)


def _answer(
    request: AgentRequest, comment: Message, mode: str, form: ReplyForm
) -> Callable[[], object]:
    by = Writer(Source.AGENT, request.user)
    content, key = form.cleaned_data["content"], form.cleaned_data["key"]
    delay = timedelta(seconds=preferences_of(request.user).undo_seconds)
    if mode == PUBLIC:
        return lambda: reply_publicly(
            comment=comment, by=by, content=content, client_key=key, delay=delay
        )
    media = staged_files(request, comment.conversation, form)
    return lambda: reply_privately(
        comment=comment,
        by=by,
        content=content,
        media=media,
        client_key=key,
        delay=delay,
    )


@agent_page
@require_POST
@may_write
def manage(request: AgentRequest, pk: int, act: str) -> HttpResponse:
    comment = find_message(request, pk)
    if act not in {one.value for one in ACTION_KINDS}:
        raise Http404
    return settle(
        request,
        comment.conversation,
        lambda: manage_comment(
            comment=comment,
            act=CommentAct(act),
            by=Writer(Source.AGENT, request.user),
        ),
    )
