"""What Instagram and Messenger can do, and one attempt at each thing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels_meta import comments
from channels_meta.assumptions import assume
from channels_meta.content import build_message
from channels_meta.details import fetch_details
from channels_meta.errors import (
    ON_HUMAN_AGENT,
    ON_PRIVATE_REPLIES,
    RECONNECT,
    REFUSED,
    UNCERTAIN,
    in_context,
)
from channels_meta.graph import GraphClient, is_success
from channels_meta.history import fetch_history
from channels_meta.models import Credential
from channels_meta.pacing import Lane
from channels_meta.payloads.values import as_dict
from channels_meta.profiles import fetch_profile
from channels_meta.templates import fetch_templates
from channels_meta.uploads import upload_media
from inbox.channels import (
    PERSON,
    Ability,
    Accepted,
    ActionKind,
    Details,
    ErrorClass,
    HistoryPage,
    Limits,
    MediaLimit,
    OutgoingMedia,
    OutgoingMessage,
    Profile,
    ReplyWindow,
    SendError,
    Signal,
    TemplateInfo,
    TextLimit,
    Upload,
    WindowKind,
)
from inbox.models import Channel

HOUR_24 = timedelta(hours=24)
# A person's reply that took longer than a day: only a person's, and only where Meta has
# approved the feature (Send API, HUMAN_AGENT, 2026).
HUMAN_AGENT_WINDOW = ReplyWindow(
    WindowKind.HUMAN_AGENT, timedelta(days=7), sources=PERSON, feature="human_agent"
)
MEGABYTE = 1024 * 1024

# What both channels can do however they were connected.
ALWAYS = frozenset(
    {
        Ability.PUBLIC_REPLY,
        Ability.PRIVATE_REPLY,
        Ability.HIDE,
        Ability.DELETE,
        Ability.REACT,
        Ability.QUOTE,
        Ability.CARDS,
        Ability.HISTORY,
    }
)
SIGNALS = frozenset({Ability.TYPING, Ability.SEEN})
NEEDED = {
    ActionKind.HIDE: Ability.HIDE,
    ActionKind.UNHIDE: Ability.HIDE,
    ActionKind.DELETE: Ability.DELETE,
    ActionKind.LIKE: Ability.LIKE,
    ActionKind.UNLIKE: Ability.LIKE,
    ActionKind.REACT: Ability.REACT,
    ActionKind.UNREACT: Ability.REACT,
    ActionKind.TAKE_OVER: Ability.TAKE_OVER,
    ActionKind.HAND_BACK: Ability.TAKE_OVER,
}
SENDER_ACTIONS = {
    Signal.SEEN: ("mark_seen", Ability.SEEN),
    Signal.TYPING: ("typing_on", Ability.TYPING),
    Signal.TYPING_STOPPED: ("typing_off", Ability.TYPING),
}
# The one reaction that Instagram documents for Facebook Login, and the ways people write it.
HEARTS = frozenset(
    {"\N{HEAVY BLACK HEART}", "\N{HEAVY BLACK HEART}\N{VARIATION SELECTOR-16}"}
)


class MetaAdapter(ABC):
    """What both channels share."""

    kind: str
    label: str | Promise
    standard_window = HOUR_24
    windows: tuple[ReplyWindow, ...] = (
        ReplyWindow(WindowKind.OPEN),
        ReplyWindow(WindowKind.PROBABLE),
        HUMAN_AGENT_WINDOW,
    )
    private_reply_window = timedelta(days=7)
    lane: Lane
    # Whether our mark comes back with the echo; the other channel does not take it.
    returns_reference: bool
    # What uploads have to name where a Page uploads for something else.
    platform = ""

    def health_url(self, channel: Channel) -> str:
        return reverse("channels_meta:channel", args=[channel.pk])

    @abstractmethod
    def abilities(self, channel: Channel) -> frozenset[Ability]:
        """What this account can do, by how it was connected."""

    def send(self, channel: Channel, message: OutgoingMessage) -> Accepted:
        """POST one message. Raises SendError."""
        client, node_id = self._open(channel)
        self._check_window(channel, message.window)
        body = build_message(message, with_reference=self.returns_reference)
        try:
            answer = client.post(f"{node_id}/messages", body, lane=self._lane(message))
        except SendError as error:
            raise in_context(error, _CONTEXTS.get(message.window, {})) from error
        message_id = answer.get("message_id")
        if not message_id:
            raise SendError(ErrorClass.UNCERTAIN, UNCERTAIN, code="no_message_id")
        return Accepted(str(message_id), str(answer.get("recipient_id") or ""))

    def upload(self, channel: Channel, media: OutgoingMedia) -> Upload | None:
        """Give Meta a file of ours, where the account takes uploads of its kind."""
        if not media.path or not self._takes_upload(channel, media):
            return None
        client, node_id = self._open(channel)
        return upload_media(client, node_id, media, platform=self.platform)

    def perform(
        self,
        channel: Channel,
        kind: ActionKind,
        *,
        target: str,
        value: str = "",
        person_id: str = "",
    ) -> None:
        """One act of an agent. Raises SendError."""
        if NEEDED[kind] not in self.abilities(channel):
            raise SendError(
                ErrorClass.BAD_REQUEST,
                _("%(channel)s has no way to do this.") % {"channel": self.label},
                code="not_able",
            )
        client, node_id = self._open(channel)
        match kind:
            case ActionKind.HIDE | ActionKind.UNHIDE:
                self._hide(client, target, hidden=kind is ActionKind.HIDE)
            case ActionKind.DELETE:
                comments.delete(client, target)
            case ActionKind.LIKE | ActionKind.UNLIKE:
                liked = kind is ActionKind.LIKE
                comments.like_on_page(client, target, liked=liked)
            case ActionKind.REACT | ActionKind.UNREACT:
                payload = {"message_id": target}
                if kind is ActionKind.REACT:
                    payload["reaction"] = self._reaction(channel, value)
                _act(client, node_id, person_id, kind.value, payload)
            case ActionKind.TAKE_OVER:
                _route(client, node_id, target, "take_thread_control")
            case ActionKind.HAND_BACK:
                _route(client, node_id, target, "release_thread_control")

    def signal(self, channel: Channel, recipient_id: str, signal: Signal) -> None:
        """Show what we do in the person's app, where the account can."""
        action, needed = SENDER_ACTIONS[signal]
        if needed in self.abilities(channel):
            client, node_id = self._open(channel)
            _act(client, node_id, recipient_id, action)

    def fetch_profile(self, channel: Channel, external_id: str) -> Profile:
        return fetch_profile(self._client(channel), channel, external_id)

    def fetch_details(
        self, channel: Channel, external_id: str, extra: Mapping[str, Any]
    ) -> Details:
        return fetch_details(self._client(channel), channel, external_id, extra)

    def fetch_history(
        self, channel: Channel, *, cursor: str = "", person_id: str = ""
    ) -> HistoryPage:
        client = self._client(channel)
        return fetch_history(client, channel, cursor=cursor, person_id=person_id)

    def fetch_templates(self, channel: Channel) -> Sequence[TemplateInfo]:
        if Ability.TEMPLATES not in self.abilities(channel):
            return []
        return fetch_templates(*self._open(channel))

    def _open(self, channel: Channel) -> tuple[GraphClient, str]:
        """Whom to call, and the id that our calls name."""
        return self._client(channel), channel.meta.node_id

    def _client(self, channel: Channel) -> GraphClient:
        """Raises SendError for a channel that has no token."""
        try:
            return GraphClient(channel.meta)
        except Credential.DoesNotExist:
            raise SendError(ErrorClass.RECONNECT, RECONNECT, code="no_token") from None

    def _check_window(self, channel: Channel, window: WindowKind) -> None:  # noqa: B027 - most accounts have all
        """Raises SendError for a right that this account has in no form."""

    def _lane(self, message: OutgoingMessage) -> Lane:
        if message.window is WindowKind.PRIVATE_REPLY:
            return Lane.PRIVATE_REPLIES
        return Lane.MEDIA if message.media else self.lane

    @abstractmethod
    def _takes_upload(self, channel: Channel, media: OutgoingMedia) -> bool:
        """Whether a file of ours is uploaded, not fetched by Meta from its address."""

    def _reaction(self, channel: Channel, emoji: str) -> str:
        return emoji

    @abstractmethod
    def _hide(self, client: GraphClient, comment_id: str, *, hidden: bool) -> None:
        """Hide a comment from the public, or show it again."""


_CONTEXTS = {
    WindowKind.PRIVATE_REPLY: ON_PRIVATE_REPLIES,
    WindowKind.HUMAN_AGENT: ON_HUMAN_AGENT,
}


def _act(
    client: GraphClient,
    node_id: str,
    person_id: str,
    action: str,
    payload: Mapping[str, str] | None = None,
) -> None:
    """A sender action, alone in its request. Doing it twice does no more than once."""
    body: dict[str, Any] = {"recipient": {"id": person_id}, "sender_action": action}
    if payload:
        body["payload"] = payload
    client.post(f"{node_id}/messages", body, is_repeatable=True)


def _route(client: GraphClient, node_id: str, person_id: str, edge: str) -> None:
    body = {"recipient": {"id": person_id}}
    if not is_success(client.post(f"{node_id}/{edge}", body, is_repeatable=True)):
        raise SendError(ErrorClass.BAD_REQUEST, REFUSED, code="no_success")


def _is_instagram_login(channel: Channel) -> bool:
    """Whether it talks to graph.instagram.com; a channel without a token talks to nobody."""
    try:
        return channel.meta.flavour == Credential.Flavour.INSTAGRAM_LOGIN
    except Credential.DoesNotExist:
        return False


class InstagramAdapter(MetaAdapter):
    kind = "instagram"
    label: str | Promise = _("Instagram")
    icon = "camera"
    css = "ig"
    id_prefix = "IG_"
    reports_delivery = False
    lane = Lane.INSTAGRAM
    returns_reference = False
    platform = "instagram"
    limits = Limits(
        text=TextLimit(1000, "bytes"),
        comment_text=TextLimit(2200, "characters"),
        media={
            "image": MediaLimit(
                8 * MEGABYTE, frozenset({"image/png", "image/jpeg", "image/gif"})
            ),
            "video": MediaLimit(
                25 * MEGABYTE,
                frozenset(
                    {
                        "video/mp4",
                        "video/ogg",
                        "video/x-msvideo",
                        "video/quicktime",
                        "video/webm",
                    }
                ),
            ),
            "audio": MediaLimit(
                25 * MEGABYTE,
                frozenset(
                    {
                        "audio/aac",
                        "audio/mp4",
                        "audio/x-m4a",
                        "audio/wav",
                        "audio/x-wav",
                    }
                ),
            ),
            "file": MediaLimit(25 * MEGABYTE, frozenset({"application/pdf"})),
        },
        # Phone and e-mail ended on 2026-10-05.
        quick_reply_kinds=frozenset({"text"}),
        button_kinds=frozenset({"url", "postback"}),
    )

    def abilities(self, channel: Channel) -> frozenset[Ability]:
        by_instagram = _is_instagram_login(channel)
        able = set(ALWAYS)
        if assume(
            "INSTAGRAM_LOGIN_SIGNALS" if by_instagram else "TYPING_ON_INSTAGRAM_BY_PAGE"
        ):
            able |= SIGNALS
        if assume("INSTAGRAM_BUTTON_CARDS"):
            able.add(Ability.BUTTON_CARD)
        if not by_instagram or assume("INSTAGRAM_LOGIN_TAKE_OVER"):
            able.add(Ability.TAKE_OVER)
        return frozenset(able)

    def reply_publicly(
        self,
        channel: Channel,
        comment_id: str,
        text: str,
        extra: Mapping[str, Any] | None = None,
    ) -> Accepted:
        """Below a comment on our own media; or below a stranger's that mentions us."""
        client, _node_id = self._open(channel)
        facts = extra or {}
        if not facts.get("mention"):
            return Accepted(comments.reply_on_instagram(client, comment_id, text))
        media = as_dict(as_dict(facts.get("comment")).get("media"))
        media_id = str(media.get("id", ""))
        if comment_id.startswith("mention:"):  # in the caption: there is no comment
            media_id, comment_id = comment_id.removeprefix("mention:"), ""
        return Accepted(
            comments.reply_to_mention(
                client, channel.external_id, media_id, comment_id, text
            )
        )

    def native_url(self, channel: Channel, recipient_id: str) -> str:
        return "https://www.instagram.com/direct/inbox/"

    def _check_window(self, channel: Channel, window: WindowKind) -> None:
        if (
            window is WindowKind.HUMAN_AGENT
            and _is_instagram_login(channel)
            and not assume("HUMAN_AGENT_ON_INSTAGRAM_LOGIN")
        ):
            raise SendError(
                ErrorClass.WINDOW_CLOSED,
                _("Accounts connected with Instagram Login can answer for 24 hours."),
                code="no_human_agent",
            )

    def _takes_upload(self, channel: Channel, media: OutgoingMedia) -> bool:
        """GIFs go by their address only."""
        by_instagram = _is_instagram_login(channel)
        name = "INSTAGRAM_LOGIN_UPLOADS" if by_instagram else "INSTAGRAM_UPLOADS"
        return media.kind in assume(name) and media.mime_type != "image/gif"

    def _reaction(self, channel: Channel, emoji: str) -> str:
        if _is_instagram_login(channel) or not assume("INSTAGRAM_LOVE_ONLY"):
            return emoji
        if emoji not in HEARTS:
            raise SendError(
                ErrorClass.BAD_REQUEST,
                _("On this account Instagram takes a heart as reaction, nothing else."),
                code="love_only",
            )
        return "love"

    def _hide(self, client: GraphClient, comment_id: str, *, hidden: bool) -> None:
        comments.hide_on_instagram(client, comment_id, hidden=hidden)


class MessengerAdapter(MetaAdapter):
    kind = "messenger"
    label: str | Promise = _("Messenger")
    icon = "chat"
    css = "fb"
    id_prefix = "FB_"
    reports_delivery = True
    lane = Lane.MESSENGER
    returns_reference = True
    limits = Limits(
        text=TextLimit(2000, "characters"),
        comment_text=TextLimit(8000, "characters"),
        media={
            "image": MediaLimit(
                25 * MEGABYTE,
                frozenset({"image/png", "image/jpeg", "image/gif"}),
                max_url_bytes=8 * MEGABYTE,
            ),
            "video": MediaLimit(25 * MEGABYTE, frozenset()),
            "audio": MediaLimit(25 * MEGABYTE, frozenset()),
            "file": MediaLimit(25 * MEGABYTE, frozenset()),
        },
        quick_reply_kinds=frozenset({"text", "phone", "email"}),
        button_kinds=frozenset({"url", "postback", "phone"}),
    )

    def abilities(self, channel: Channel) -> frozenset[Ability]:
        able = {*ALWAYS, *SIGNALS, Ability.BUTTON_CARD}
        able |= {Ability.TEMPLATES, Ability.TAKE_OVER}
        if assume("FACEBOOK_COMMENT_LIKES"):
            able.add(Ability.LIKE)
        return frozenset(able)

    def reply_publicly(
        self,
        channel: Channel,
        comment_id: str,
        text: str,
        extra: Mapping[str, Any] | None = None,
    ) -> Accepted:
        client, _node_id = self._open(channel)
        return Accepted(comments.reply_on_page(client, comment_id, text))

    def native_url(self, channel: Channel, recipient_id: str) -> str:
        return f"https://business.facebook.com/latest/inbox/messenger?asset_id={channel.external_id}"

    def _takes_upload(self, channel: Channel, media: OutgoingMedia) -> bool:
        return media.kind in self.limits.media

    def _hide(self, client: GraphClient, comment_id: str, *, hidden: bool) -> None:
        comments.hide_on_page(client, comment_id, hidden=hidden)
