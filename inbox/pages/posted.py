"""What a composer posts beside its words: files, quick replies, what is done along with it."""

from __future__ import annotations

from typing import cast

from django.core.exceptions import PermissionDenied

from inbox.canned import read_steps
from inbox.channels import QuickReply
from inbox.content import Medium, read_file
from inbox.desk import Sending
from inbox.media import SentFile
from inbox.models import Conversation, Message
from inbox.pages.composer import ReplyForm
from inbox.pages.http import AgentRequest
from inbox.staging import chosen_files, stage_file


def sending_of(request: AgentRequest, form: ReplyForm) -> Sending:
    """Raises PermissionDenied for acts that the agent may not do, ContentInvalid for unknown ones."""
    actions = read_steps(form.steps)
    if actions and not request.user.has_perm("inbox.change_conversation"):
        raise PermissionDenied
    values = form.cleaned_data
    return Sending(values["key"], values["draft"], values["seen"], actions)


def staged_files(
    request: AgentRequest, conversation: Conversation, form: ReplyForm
) -> list[Medium]:
    """Files handed over ahead of the reply, and those that a plain form posts with it: stored
    now, before the conversation is locked. Raises as stage_file does."""
    agent = request.user
    ahead: list[Medium] = [*chosen_files(conversation, agent, form.file_ids)]
    posted = cast("list[SentFile]", request.FILES.getlist("files"))
    key = form.cleaned_data["key"]
    if posted and key and Message.objects.filter(client_key=key).exists():
        # Said before: to be compared, not to be kept again.
        limits = conversation.channel.adapter.limits
        return ahead + [read_file(file, limits) for file in posted]
    return ahead + [
        stage_file(conversation=conversation, by=agent, file=file) for file in posted
    ]


def choices_of(form: ReplyForm) -> list[QuickReply]:
    """The customer's answer comes back as its own words."""
    titles = [title.strip() for title in form.many("choice")]
    return [QuickReply(title=title, payload=title) for title in titles if title]
