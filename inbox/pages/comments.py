"""Comments: answer in public or in private, hide, show, like, delete."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_POST

from inbox.comment_rules import ACTION_KINDS, CommentAct
from inbox.comments import manage_comment, reply_privately, reply_publicly
from inbox.models import MessageType, Source
from inbox.outbound import Writer
from inbox.pages.composer import PRIVATE, PUBLIC, Choice
from inbox.pages.conversations import find_conversation
from inbox.pages.http import AgentRequest, agent_page
from inbox.pages.writing import find_message, may_write, settle, write


@agent_page
@require_POST
@may_write
def reply(request: AgentRequest, pk: int, mode: str) -> HttpResponse:
    """mode: public or private. The same key is the same answer."""
    comment = find_message(request, pk)
    conversation = find_conversation(request, comment.conversation.pk)
    if comment.type != MessageType.COMMENT or mode not in {PUBLIC, PRIVATE}:
        raise Http404
    answer = reply_publicly if mode == PUBLIC else reply_privately

    def queue(values: dict[str, Any]) -> None:
        answer(
            comment=comment,
            by=Writer(Source.AGENT, request.user),
            content=values["content"],
            client_key=values["key"],
        )

    return write(request, conversation, Choice(mode, about=pk), queue)


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
