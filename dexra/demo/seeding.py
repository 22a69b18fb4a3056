"""Plays the demo's stories: what customers did goes through the journal, what we did through the inbox.

Moments lie in the past, so that reply windows, receipts and lists are as they would be.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import groupby
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.templatetags.static import static
from django.utils.timezone import now

from channels_meta.errors import ERRORS
from channels_meta.models import RawEvent, SandboxMessage, SandboxPerson
from channels_meta.processing import drain
from channels_meta.sandbox import webhooks as meta
from channels_meta.sandbox.accounts import create_accounts, get_account
from dexra.demo.acts import (
    Act,
    Assigned,
    Closed,
    Commented,
    Delivered,
    DeskAct,
    FailedToReply,
    Noted,
    Reacted,
    Read,
    Replied,
    RepliedInApp,
    Said,
    Story,
    Unsent,
)
from dexra.demo.stories import CANNED, STORIES, TAGS
from dexra.embedded import data_folder
from inbox.channels import ErrorClass, SendError
from inbox.conversations import add_note, refresh
from inbox.delivery import MAY_HAVE_BEEN_SENT, fail, settle_sent
from inbox.models import (
    Agent,
    Attachment,
    CannedReply,
    Channel,
    ChannelIdentity,
    Contact,
    Conversation,
    Direction,
    Message,
    MessageType,
    Status,
    Tag,
)
from inbox.search import fold
from inbox.triage import assign_conversation, close_conversation, mark_read
from webhooks.echo import create_echo_endpoint, find_echo_endpoint

ADMIN = "nadia"
COLLEAGUE = "yassine"
# Nobody real has an address there: by these the demo's people are known again.
EMAIL_DOMAIN = "maison-tilila.example"
GROUP = "Agents"
LOGIN_FILE = "demo.json"
# All that the work in the inbox needs, and no settings.
AGENT_PERMISSIONS = (
    "view_conversation",
    "change_conversation",
    "view_message",
    "add_message",
    "view_attachment",
    "view_reaction",
    "view_contact",
    "change_contact",
    "view_channelidentity",
    "view_channel",
    "view_tag",
)


@dataclass(frozen=True, slots=True)
class Login:
    username: str
    password: str


def why_not_empty() -> str:
    """Why there is no room for the demo; "" on an empty workspace."""
    if Channel.objects.exists():
        return "there are channels already"
    if Agent.objects.exists():
        return "there are agents already"
    return ""


def seed() -> Login:
    """Fill an empty workspace, all or nothing, and write its login to DATA_DIR."""
    path = login_path()
    try:
        with transaction.atomic():
            login = Login(ADMIN, secrets.token_urlsafe(12))
            agents = create_agents(login)
            channels = {channel.kind: channel for channel in create_accounts()}
            create_echo_endpoint()
            create_canned_replies()
            # Meta counts in milliseconds: a receipt must not seem older than its message.
            at = now().replace(microsecond=0)
            play(STORIES, agents=agents, channels=channels, at=at)
            write_login(path, login)
    except BaseException:
        path.unlink(missing_ok=True)  # nobody can sign in with it
        raise
    return login


def follow_port() -> None:
    """Point what the sandbox stored of our own address at the port we run on now."""
    if Channel.objects.filter(is_sandbox=True).exists():
        create_accounts()
    if find_echo_endpoint():
        create_echo_endpoint()


def login_path() -> Path:
    return data_folder(settings.DATA_DIR) / LOGIN_FILE


def write_login(path: Path, login: Login) -> None:
    """Only whoever runs Dexra may read it, from its first byte on."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump({"username": login.username, "password": login.password}, file)


def create_agents(login: Login) -> dict[str, Agent]:
    """Nadia, who may do everything, and Yassine, who answers (an admin can give him a password)."""
    group = Group.objects.get_or_create(name=GROUP)[0]
    group.permissions.add(
        *Permission.objects.filter(
            content_type__app_label="inbox", codename__in=AGENT_PERMISSIONS
        )
    )
    nadia = Agent.objects.create_superuser(
        login.username,
        f"{ADMIN}@{EMAIL_DOMAIN}",
        login.password,
        first_name="Nadia",
        last_name="Berrada",
    )
    yassine = Agent.objects.create_user(
        COLLEAGUE,
        f"{COLLEAGUE}@{EMAIL_DOMAIN}",
        first_name="Yassine",
        last_name="Alaoui",
        is_staff=True,
    )
    yassine.groups.add(group)
    return {ADMIN: nadia, COLLEAGUE: yassine}


# --- playing ------------------------------------------------------------------------------------------


@dataclass
class Scene:
    """A story being played: who it is about, here and on the pretend platform."""

    story: Story
    person: SandboxPerson
    identity: ChannelIdentity
    mids: dict[str, str] = field(default_factory=dict)

    @cached_property
    def conversation(self) -> Conversation:
        """Exists once the first act went through the journal."""
        return self.identity.conversations.select_related("channel").get()

    def make_mid(self, called: str = "") -> str:
        mid = meta.make_mid(self.person.account)
        if called:
            self.mids[called] = mid
        return mid

    def unseen(self) -> list[SandboxMessage]:
        """What we wrote and the customer has not read, oldest first."""
        return list(self.person.messages.filter(direction="out", seen_at=None))


def create_canned_replies() -> None:
    for shortcut, title, content, actions in CANNED:
        values = {"title": title, "content": content, "actions": actions}
        CannedReply.objects.get_or_create(
            shortcut=shortcut, owner=None, team=None, defaults=values
        )


def play(
    stories: Iterable[Story],
    *,
    agents: dict[str, Agent],
    channels: dict[str, Channel],
    at: datetime,
) -> None:
    """Play every act of every story in the order in which it all happened."""
    tags = {
        name: Tag.objects.get_or_create(name=name, defaults={"colour": colour})[0].pk
        for name, colour in TAGS.items()
    }
    contacts: dict[str, Contact] = {}
    scenes = [open_scene(story, channels, contacts) for story in stories]
    acts = [
        (at - act.before_now, scene, act)
        for scene in scenes
        for act in scene.story.acts
    ]
    acts.sort(key=lambda timed: timed[0])
    for is_ours, run in groupby(acts, key=lambda timed: isinstance(timed[2], DeskAct)):
        if is_ours:
            for moment, scene, act in run:
                work(scene, act, agents, moment)
        else:
            post([(tell(scene, act, moment), moment) for moment, scene, act in run])
    for scene in scenes:
        finish(scene, tags, at)


def open_scene(
    story: Story, channels: dict[str, Channel], contacts: dict[str, Contact]
) -> Scene:
    """One contact for each name, who may write on both channels."""
    channel = channels[story.kind]
    contact = contacts.get(story.name) or Contact.objects.create(
        name=story.name,
        email=story.email,
        email_verified_at=now() if story.email else None,
        phone=story.phone,
        attributes=story.attributes,
    )
    contacts[story.name] = contact
    identity = ChannelIdentity.objects.create(
        channel=channel,
        external_id=story.person_id,
        contact=contact,
        username=story.username,
        name=story.name,
    )
    person, _created = SandboxPerson.objects.get_or_create(
        account=get_account(channel.kind, channel.external_id),
        external_id=story.person_id,
        defaults={"name": story.name, "username": story.username},
    )
    return Scene(story, person, identity)


def finish(scene: Scene, tags: dict[str, int], at: datetime) -> None:
    """What an agent would have done in passing; and nothing is younger than its first act."""
    conversation = scene.conversation
    if not scene.story.is_new:
        mark_read(conversation=conversation)
    began = at - max(act.before_now for act in scene.story.acts)
    Conversation.objects.filter(pk=conversation.pk).update(
        tags=[tags[name] for name in scene.story.tags], created_at=began
    )
    ChannelIdentity.objects.filter(pk=scene.identity.pk).update(created_at=began)
    Contact.objects.filter(pk=scene.identity.contact_id, created_at__gt=began).update(
        created_at=began
    )


def picture_url(name: str) -> str:
    return f"{settings.PUBLIC_URL}{static(f'img/demo/{name}')}"


# --- through the journal ----------------------------------------------------------------------------------


def post(bodies: Sequence[tuple[meta.Data, datetime]]) -> None:
    """Journal what Meta would have posted at these moments, and process it."""
    rows = []
    for data, moment in bodies:
        body = meta.encode(data)
        sha256 = hashlib.sha256(body).digest()
        day = moment.astimezone(UTC).date()
        rows.append(RawEvent(body=body, sha256=sha256, day=day, received_at=moment))
    RawEvent.objects.bulk_create(rows)
    drain()


def tell(scene: Scene, act: Act, at: datetime) -> meta.Data:
    """What Meta posts about an act; the pretend phone remembers it."""
    person = scene.person
    match act:
        case Said():
            return _say(scene, act, at)
        case Commented():
            return _comment(scene, act, at)
        case RepliedInApp():
            mid = scene.make_mid()
            _show(scene, mid, at, direction="out", text=act.text)
            return meta.build_echo(person, mid=mid, at=at, text=act.text)
        case Unsent():
            mid = scene.mids[act.what]
            person.messages.filter(mid=mid).update(unsent_at=at)
            return meta.build_unsend(person, mid=mid, at=at)
        case Reacted():
            mid = scene.mids[act.what]
            person.messages.filter(mid=mid).update(reaction=act.emoji, reacted_at=at)
            return meta.build_reaction(person, mid=mid, at=at, emoji=act.emoji)
        case Delivered():
            mids = [message.mid for message in scene.unseen()]
            return meta.build_delivery(person, mids=mids, at=at)
        case Read():
            newest = scene.unseen()[-1].mid
            person.messages.filter(direction="out", seen_at=None).update(seen_at=at)
            return meta.build_read(person, mid=newest, at=at)
    raise TypeError(act)


def _say(scene: Scene, act: Said, at: datetime) -> meta.Data:
    mid = scene.make_mid(act.called)
    kind, media = "text", None
    if act.picture:
        kind, media = "image", ("image", picture_url(act.picture))
    elif act.mentions:
        kind, media = "story_mention", ("story_mention", picture_url(act.mentions))
    elif act.answers:
        kind = "story_reply"
    story_url = picture_url(act.answers) if act.answers else ""
    _show(
        scene,
        mid,
        at,
        direction="in",
        kind=kind,
        text="💣 📷" if act.is_unsupported else act.text,
        media_url=media[1] if media else story_url,
    )
    data = meta.build_message(
        scene.person, mid=mid, at=at, text=act.text, media=media, story_url=story_url
    )
    if act.is_unsupported:
        data["entry"][0]["messaging"][0]["message"]["is_unsupported"] = True
    return data


def _comment(scene: Scene, act: Commented, at: datetime) -> meta.Data:
    account = scene.person.account
    number = f"180{secrets.randbelow(10**14):014d}"
    # A Page's posts are named after the Page.
    is_page = not account.is_instagram
    post_id = f"{account.external_id}_{number}" if is_page else number
    comment_id = f"179{secrets.randbelow(10**14):014d}"
    _show(
        scene,
        comment_id,
        at,
        direction="in",
        kind="comment",
        text=act.text,
        post_id=post_id,
    )
    return meta.build_comment(
        scene.person, comment_id=comment_id, post_id=post_id, at=at, text=act.text
    )


def _show(scene: Scene, mid: str, at: datetime, **fields: object) -> None:
    """Put a message on the pretend phone."""
    arrived = at if fields["direction"] == "out" else None
    SandboxMessage.objects.create(
        person=scene.person, mid=mid, sent_at=at, delivered_at=arrived, **fields
    )


# --- through the inbox --------------------------------------------------------------------------------------


def work(scene: Scene, act: Act, agents: dict[str, Agent], at: datetime) -> None:
    """What one of us, a rule or a backend did."""
    assert isinstance(act, DeskAct)  # noqa: S101 - play() hands over no others
    conversation, by = scene.conversation, agents.get(act.by)
    if by:
        mark_read(conversation=conversation)
    match act:
        case Replied():
            _reply(scene, act, by, at)
        case FailedToReply():
            _fail_to_reply(scene, act, by, at)
        case Noted() if by:
            _date(add_note(conversation=conversation, author=by, content=act.text), at)
        case Assigned():
            assign_conversation(
                conversation=conversation, assignee=agents[act.to], by=by
            )
            _date(_newest_line(conversation), at)
        case Closed():
            close_conversation(conversation=conversation, by=by)
            Conversation.objects.filter(pk=conversation.pk).update(closed_at=at)
            _date(_newest_line(conversation), at)
        case _:
            raise TypeError(act)


def _reply(scene: Scene, act: Replied, by: Agent | None, at: datetime) -> None:
    """Stored and settled at once, as a send that Meta accepted."""
    message = _compose(scene, at, by, source=act.source, content=act.text)
    if act.speaker:
        message.author_name = act.speaker
    mid = scene.make_mid(act.called)
    settle_sent(message, external_id=mid, sent_at=at)
    _show(scene, mid, at, direction="out", text=act.text)
    refresh([message.conversation.pk])


def _fail_to_reply(
    scene: Scene, act: FailedToReply, by: Agent | None, at: datetime
) -> None:
    kind = MessageType.IMAGE if act.picture else MessageType.TEXT
    message = _compose(scene, at, by, source="agent", content=act.text, type=kind)
    if act.picture:
        Attachment.objects.create(
            message=message, kind=kind, remote_url=picture_url(act.picture)
        )
    fail(message, _refusal(act.error))
    refresh([message.conversation.pk])


def _refusal(error: tuple[int, int | None] | None) -> SendError:
    if error is None:
        return SendError(ErrorClass.UNCERTAIN, MAY_HAVE_BEEN_SENT, code="no_echo")
    code = "/".join(str(part) for part in error if part is not None)
    return ERRORS[error].as_error(code)


def _compose(
    scene: Scene,
    at: datetime,
    by: Agent | None,
    *,
    source: str,
    content: str,
    type: MessageType = MessageType.TEXT,  # noqa: A002 - Message's word
) -> Message:
    """A message in the state in which a send leaves it when it is being tried."""
    conversation = scene.conversation
    return Message.objects.create(
        conversation=conversation,
        channel=conversation.channel,
        direction=Direction.OUT,
        source=source,
        author=by,
        author_name=by.name if by else "",
        type=type,
        content=content,
        status=Status.SENDING,
        attempts=1,
        sending_since=at,
        sent_at=at,
        received_at=at,
        search_text=fold(content),
    )


def _newest_line(conversation: Conversation) -> Message:
    return conversation.messages.filter(direction=Direction.EVENT).latest("pk")


def _date(message: Message, at: datetime) -> None:
    Message.objects.filter(pk=message.pk).update(sent_at=at, received_at=at)
