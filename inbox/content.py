"""What one reply is made of, and whether its channel takes it: one table for all who write."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from inbox.channels import (
    Ability,
    Button,
    Card,
    Limits,
    MediaLimit,
    OutgoingMedia,
    QuickReply,
    TemplateUse,
    TextLimit,
)
from inbox.errors import ContentInvalid
from inbox.filetypes import HEAD_BYTES, sniff_type
from inbox.media import SentFile
from inbox.models import Channel, StagedFile

MAX_FILES = 10
MAX_NAME_CHARACTERS = 150
# Into how many messages one text may be split.
MAX_PARTS = 10
MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file that somebody hands us. kind, mime_type: by its bytes, whatever it is called."""

    file: SentFile
    name: str
    size: int
    kind: str
    mime_type: str


Medium = OutgoingMedia | LocalFile | StagedFile


@dataclass(frozen=True, slots=True)
class Content:
    """One composed reply. It leaves as files, then words, then cards, each a message of its own;
    the quick replies hang on the last. A template goes alone.

    is_split: words that are too long for one message go as several.
    """

    text: str = ""
    media: tuple[Medium, ...] = ()
    cards: tuple[Card, ...] = ()
    quick_replies: tuple[QuickReply, ...] = ()
    template: TemplateUse | None = None
    is_split: bool = False

    def texts(self, limit: TextLimit) -> list[str]:
        """The words, message by message."""
        if self.is_split:
            return split_text(self.text, limit)
        return [self.text] if self.has_text else []

    @property
    def has_text(self) -> bool:
        return bool(self.text.strip())

    @property
    def is_empty(self) -> bool:
        return not (self.has_text or self.media or self.cards or self.template)

    @property
    def count(self) -> int:
        """How many messages it becomes."""
        return len(self.media) + self.has_text + bool(self.cards) + bool(self.template)


def read_file(file: SentFile, limits: Limits) -> LocalFile:
    """Look into a file. One that the channel does not take as what it is goes as a plain file."""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    file.seek(0)
    name = (file.name or "").replace("\\", "/").rpartition("/")[2]
    mime_type = sniff_type(head, name)
    kind = mime_type.partition("/")[0]
    if not _takes(limits.media.get(kind), mime_type) and (
        kind not in {"image", "video", "audio"}
        or _takes(limits.media.get("file"), mime_type)
    ):
        kind = "file"
    return LocalFile(file, name[-MAX_NAME_CHARACTERS:], file.size, kind, mime_type)


def _takes(limit: MediaLimit | None, mime_type: str) -> bool:
    return limit is not None and (not limit.types or mime_type in limit.types)


# --- long texts ----------------------------------------------------------------------------------

# Where a sentence or a line ends, in the scripts that customers of ours write.
_SENTENCE_END = re.compile(r"[.!?…؟۔]+[\"'»”’)\]]*\s+|[。！？]+|\n+")
_SPACE = re.compile(r"\s+")
# A sentence that ends before this share of a message is no place to cut: parts would be many.
_LEAST_SHARE = 3
_JOINER = "\u200d"


def split_text(text: str, limit: TextLimit) -> list[str]:
    """A text as messages that the channel takes: cut at sentence ends, else between words, else
    anywhere but inside what is seen as one character."""
    parts, rest = [], text.strip()
    while limit.measure(rest) > limit.maximum:
        cut = _place_to_cut(rest, _fitting(rest, limit))
        parts.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return [*parts, rest] if rest else parts


def _fitting(text: str, limit: TextLimit) -> int:
    """How many characters of it one message takes; at least one."""
    if limit.unit != "bytes":
        return limit.maximum
    head = text.encode()[: limit.maximum].decode(errors="ignore")
    return max(1, len(head))


def _place_to_cut(text: str, most: int) -> int:
    # A space may stand just behind what fits: it is not sent.
    head = text[: most + 1]
    for boundary in (_SENTENCE_END, _SPACE):
        ends = [
            found.end()
            for found in boundary.finditer(head)
            if len(found[0].rstrip()) + found.start() <= most
        ]
        if ends and ends[-1] > most // _LEAST_SHARE:
            return ends[-1]
    cut = most
    while cut > 1 and _is_inside(text, cut):
        cut -= 1
    return cut


def _is_inside(text: str, cut: int) -> bool:
    """Whether a cut would part what is seen as one character."""
    after = text[cut]
    return (
        text[cut - 1] == _JOINER
        or after == _JOINER
        or unicodedata.category(after) in {"Mn", "Me"}
        or "\U0001f3fb" <= after <= "\U0001f3ff"
    )


# --- checks --------------------------------------------------------------------------------------


def check_content(content: Content, channel: Channel) -> None:
    """Raises ContentInvalid, with what to do about it, for what the channel would refuse."""
    limits, name = channel.adapter.limits, str(channel.adapter.label)
    if content.is_empty:
        raise ContentInvalid(_("Write something first."), param="content")
    if content.template and content.count > 1:
        raise ContentInvalid(
            _("A template goes alone: send the rest after the customer has answered."),
            param="template",
        )
    if content.is_split:
        _check_parts(content.texts(limits.text))
    else:
        check_text(content.text, limits.text, name)
    _check_media(content.media, limits, name)
    _check_quick_replies(content.quick_replies, limits, name)
    if content.cards:
        _check_cards(content.cards, channel, limits, name)


def _check_parts(parts: list[str]) -> None:
    if len(parts) > MAX_PARTS:
        raise ContentInvalid(
            _("This is too long, even for %(limit)d messages.") % {"limit": MAX_PARTS},
            param="content",
        )


def check_text(text: str, limit: TextLimit, channel_name: str) -> None:
    if limit.measure(text) <= limit.maximum:
        return
    sentence = (
        _("This is longer than the %(maximum)d bytes that %(channel)s takes.")
        if limit.unit == "bytes"
        else _("This is longer than the %(maximum)d characters that %(channel)s takes.")
    )
    values = {"maximum": limit.maximum, "channel": channel_name}
    raise ContentInvalid(sentence % values, param="content")


KIND_WORDS: dict[str, str | Promise] = {
    "image": gettext_lazy("pictures"),
    "video": gettext_lazy("videos"),
    "audio": gettext_lazy("sound"),
    "file": gettext_lazy("files"),
}
# How people call what MIME types name.
_TYPE_NAMES = {
    "audio/mp4": "M4A",
    "audio/x-m4a": "M4A",
    "audio/mpeg": "MP3",
    "image/jpeg": "JPEG",
    "image/svg+xml": "SVG",
    "video/quicktime": "MOV",
    "video/x-msvideo": "AVI",
}


def _check_media(media: tuple[Medium, ...], limits: Limits, channel_name: str) -> None:
    if len(media) > MAX_FILES:
        raise _file_refused(_("At most %(limit)d files at once."), limit=MAX_FILES)
    for medium in media:
        limit = _limit_of(medium, limits, channel_name)
        if isinstance(medium, LocalFile | StagedFile):
            _check_file(medium, limit, channel_name)
        elif not medium.path and not medium.url.startswith(("https://", "http://")):
            raise _file_refused(
                _("A file needs an https:// address that the channel can fetch.")
            )


def check_file(file: LocalFile, channel: Channel) -> None:
    """One file alone, before anything is stored. Raises ContentInvalid."""
    limits, name = channel.adapter.limits, str(channel.adapter.label)
    _check_file(file, _limit_of(file, limits, name), name)


def _limit_of(medium: Medium, limits: Limits, channel_name: str) -> MediaLimit:
    limit = limits.media.get(medium.kind)
    if limit is None:
        raise _file_refused(
            _("%(channel)s does not take this kind of file: %(kind)s."),
            channel=channel_name,
            kind=KIND_WORDS.get(medium.kind, medium.kind),
        )
    return limit


def _check_file(
    file: LocalFile | StagedFile, limit: MediaLimit, channel_name: str
) -> None:
    told = {
        "name": file.name or _("The file"),
        "channel": channel_name,
        "kinds": KIND_WORDS[file.kind],
    }
    if not file.size:
        raise _file_refused(_("%(name)s is empty."), **told)
    if not _takes(limit, file.mime_type):
        raise _file_refused(
            _("%(name)s cannot be sent: %(channel)s takes %(kinds)s as %(types)s."),
            **told,
            types=type_names(limit.types),
        )
    if file.size > limit.max_bytes:
        raise _file_refused(
            _(
                "%(name)s is too large: %(channel)s takes %(kinds)s up to %(limit)s, this is %(size)s."
            ),
            **told,
            limit=size_words(limit.max_bytes),
            size=size_words(file.size),
        )


def _file_refused(sentence: str, **values: object) -> ContentInvalid:
    return ContentInvalid(sentence % values, param="attachments")


def type_names(types: Iterable[str]) -> str:
    """ "JPEG or PNG": MIME types as people call them."""
    names = {
        _TYPE_NAMES.get(one, one.rpartition("/")[2].removeprefix("x-").upper())
        for one in types
    }
    return str(get_text_list(sorted(names), _("or")))


def size_words(size: int) -> str:
    """1.2 MB, 31 MB, 640 kB. A size just above a limit is not told as the limit."""
    if size < MEGABYTE:
        return _("%(count)s kB") % {"count": max(1, -(-size // 1024))}
    tenths = -(-size * 10 // MEGABYTE)
    places = 1 if tenths % 10 else 0
    return _("%(count)s MB") % {"count": number_format(tenths / 10, places)}


def _check_quick_replies(
    replies: tuple[QuickReply, ...], limits: Limits, channel_name: str
) -> None:
    if len(replies) > limits.quick_replies:
        sentence = ngettext(
            "%(channel)s takes %(limit)d quick reply at most.",
            "%(channel)s takes %(limit)d quick replies at most.",
            limits.quick_replies,
        )
        raise ContentInvalid(
            sentence % {"channel": channel_name, "limit": limits.quick_replies},
            param="quick_replies",
        )
    for number, reply in enumerate(replies):
        param = f"quick_replies.{number}"
        if reply.kind not in limits.quick_reply_kinds:
            raise ContentInvalid(
                _("%(channel)s does not take quick replies of the kind “%(kind)s”.")
                % {"channel": channel_name, "kind": reply.kind},
                param=f"{param}.type",
            )
        if reply.kind == "text":
            _check_length(reply.title, limits.quick_reply_title, f"{param}.title")
        _check_length(reply.payload, limits.payload, f"{param}.payload", minimum=0)


def _check_cards(
    cards: tuple[Card, ...], channel: Channel, limits: Limits, channel_name: str
) -> None:
    abilities = channel.adapter.abilities(channel)
    if Ability.CARDS not in abilities or not limits.cards:
        raise ContentInvalid(
            _("%(channel)s does not take cards.") % {"channel": channel_name},
            param="cards",
        )
    if len(cards) > limits.cards:
        raise ContentInvalid(
            _("%(channel)s takes %(limit)d cards at most.")
            % {"channel": channel_name, "limit": limits.cards},
            param="cards",
        )
    for number, card in enumerate(cards):
        param = f"cards.{number}"
        if card.text:
            _check_button_card(card, cards, abilities, limits, channel_name, param)
        else:
            _check_picture_card(card, limits, param)
        _check_buttons(card.buttons, limits, channel_name, param)


def _check_button_card(
    card: Card,
    cards: tuple[Card, ...],
    abilities: frozenset[Ability],
    limits: Limits,
    channel_name: str,
    param: str,
) -> None:
    if Ability.BUTTON_CARD not in abilities:
        raise ContentInvalid(
            _(
                "%(channel)s does not take a card of text and buttons alone. Give it a title instead."
            )
            % {"channel": channel_name},
            param=f"{param}.text",
        )
    is_alone = len(cards) == 1
    is_bare = not (card.title or card.subtitle or card.image_url or card.url)
    if not (is_alone and is_bare and card.buttons):
        raise ContentInvalid(
            _("A card with text stands alone, with one button at least and no title."),
            param=f"{param}.text",
        )
    _check_length(card.text, limits.card_text, f"{param}.text")


def _check_picture_card(card: Card, limits: Limits, param: str) -> None:
    _check_length(card.title, limits.card_title, f"{param}.title")
    _check_length(card.subtitle, limits.card_subtitle, f"{param}.subtitle", minimum=0)
    for name in ("image_url", "url"):
        address = getattr(card, name)
        if address and not address.startswith(("https://", "http://")):
            raise ContentInvalid(
                _("This needs to be an https:// address."), param=f"{param}.{name}"
            )
    if not (card.subtitle or card.image_url or card.url or card.buttons):
        raise ContentInvalid(
            _(
                "A card needs something beside its title: a subtitle, a picture or a button."
            ),
            param=param,
        )


def _check_buttons(
    buttons: tuple[Button, ...], limits: Limits, channel_name: str, card: str
) -> None:
    if len(buttons) > limits.buttons:
        raise ContentInvalid(
            _("A card has %(limit)d buttons at most.") % {"limit": limits.buttons},
            param=f"{card}.buttons",
        )
    for number, button in enumerate(buttons):
        param = f"{card}.buttons.{number}"
        if button.kind not in limits.button_kinds:
            raise ContentInvalid(
                _("%(channel)s does not take buttons of the kind “%(kind)s”.")
                % {"channel": channel_name, "kind": button.kind},
                param=f"{param}.type",
            )
        _check_length(button.title, limits.button_title, f"{param}.title")
        _check_value(button, limits, f"{param}.value")


def _check_value(button: Button, limits: Limits, param: str) -> None:
    _check_length(button.value, limits.payload, param)
    starts = {"url": ("https://", "http://"), "phone": ("+",)}.get(button.kind)
    if starts and not button.value.startswith(starts):
        raise ContentInvalid(
            _("This needs to be an https:// address.")
            if button.kind == "url"
            else _("A phone number begins with + and the country."),
            param=param,
        )


def _check_length(text: str, maximum: int, param: str, *, minimum: int = 1) -> None:
    if len(text.strip()) < minimum:
        raise ContentInvalid(_("This is missing."), param=param)
    if len(text) > maximum:
        raise ContentInvalid(
            ngettext(
                "At most %(limit)d character.", "At most %(limit)d characters.", maximum
            )
            % {"limit": maximum},
            param=param,
        )
