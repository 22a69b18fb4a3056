"""What can be done on the phone page: the acts of the customer, and what may go wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels_meta.sandbox import customers
from channels_meta.sandbox.customers import Happening
from channels_meta.sandbox.faults import Fault
from channels_meta.sandbox.models import SandboxPerson

Do = Callable[[SandboxPerson, str], Happening]


@dataclass(frozen=True, slots=True)
class Act:
    """One button. kinds: of account that it exists for; takes_text: what is typed goes with it."""

    name: str
    icon: str
    label: str | Promise
    do: Do
    kinds: tuple[str, ...] = ("instagram", "messenger")
    takes_text: bool = False


INSTAGRAM, MESSENGER = ("instagram",), ("messenger",)


def _plain(act: Callable[[SandboxPerson], Happening]) -> Do:
    return lambda person, _text: act(person)


WRITE = Act("write", "send", _("Write"), customers.write, takes_text=True)

# (title, acts) of the groups, the first of which is open.
GROUPS: tuple[tuple[str | Promise, tuple[Act, ...]], ...] = (
    (
        _("Do something"),
        (
            Act("photo", "image", _("Send a photo"), _plain(customers.send_photo)),
            Act("voice", "mic", _("Voice message"), _plain(customers.send_voice)),
            Act("story-mention", "story", _("Story mention"), _plain(customers.mention_in_story), INSTAGRAM),
            Act("story-reply", "reply", _("Reply to story"), customers.reply_to_story, INSTAGRAM, True),
            Act("comment", "comment", _("Comment on post"), customers.comment, takes_text=True),
            Act("react", "heart", _("React"), _plain(customers.react)),
            Act("unsend", "undo", _("Unsend last"), _plain(customers.unsend_last)),
            Act("read", "eye", _("Read messages"), _plain(customers.read_messages)),
            Act("button", "check", _("Tap a button"), _plain(customers.tap_button)),
        ),
    ),
    (
        _("Send more"),
        (
            Act("video", "play", _("Video"), _plain(customers.send_video)),
            Act("file", "file", _("File"), _plain(customers.send_file)),
            Act("album", "layers", _("Six photos"), _plain(customers.send_album)),
            Act("sticker", "smile", _("Sticker"), _plain(customers.send_sticker)),
            Act("location", "pin", _("Location"), _plain(customers.send_location), MESSENGER),
            Act("share", "link", _("Shared post"), _plain(customers.share_post)),
            Act("once", "eye-off", _("Photo to be seen once"), _plain(customers.send_unsupported)),
            Act("edit", "note", _("Edit last"), customers.edit_last, takes_text=True),
            Act("quick-reply", "reply", _("Tap a quick reply"), customers.tap_quick_reply, takes_text=True),
            Act("card-button", "check", _("Tap a card's button"), customers.tap_card_button, takes_text=True),
            Act("ad", "spark", _("Come by an ad"), customers.come_by_ad, takes_text=True),
            Act("link", "link", _("Come by a link"), _plain(customers.come_by_link)),
        ),
    ),
    (
        _("In public"),
        (
            Act("comment-ad", "spark", _("Comment on an ad"), customers.comment_on_ad, INSTAGRAM, True),
            Act("comment-reply", "reply", _("Answer a comment"), customers.reply_to_comment, takes_text=True),
            Act("comment-edit", "note", _("Edit comment"), customers.edit_comment, takes_text=True),
            Act("comment-delete", "undo", _("Delete comment"), _plain(customers.delete_comment)),
            Act("post", "note", _("Post on the Page"), customers.post_on_page, MESSENGER, True),
            Act("mention", "at", _("Mention"), customers.mention, takes_text=True),
        ),
    ),
    (
        _("At the business"),
        (
            Act("native", "phone", _("Reply in Meta's app"), customers.reply_natively, takes_text=True),
            Act("routing", "users", _("Another app takes over"), _plain(customers.hand_to_other_app)),
            Act("warning", "warn", _("Meta warns the account"), _plain(customers.warn)),
        ),
    ),
)  # fmt: skip

ACTS = {act.name: act for _title, acts in GROUPS for act in acts} | {WRITE.name: WRITE}


def groups_for(kind: str) -> list[tuple[str | Promise, list[Act]]]:
    """The buttons that an account of this kind has."""
    return [
        (title, [act for act in acts if kind in act.kinds]) for title, acts in GROUPS
    ]


# --- what may go wrong -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that may go wrong. sentence: what then happens. times: how often; None: until
    it is switched off."""

    kind: str
    sentence: str | Promise
    times: int | None = 1
    value: str = ""
    kinds: tuple[str, ...] = ("instagram", "messenger")

    @property
    def label(self) -> str | Promise:
        return Fault(self.kind).label


# Those that the next reply meets.
NEXT_SEND = (
    Trouble(Fault.TOKEN, _("Meta says that the password was changed (190/460).")),
    Trouble(Fault.THROTTLE, _("Meta asks to wait a minute.")),
    Trouble(Fault.UNAVAILABLE, _("The customer cannot receive messages (551).")),
    Trouble(Fault.REFUSED, _("Meta does not take this message (100).")),
    Trouble(Fault.SENT_BUT_ERROR, _("The reply is on the phone, yet Meta answers with an error (1/1357046).")),
    Trouble(Fault.TIMEOUT_AFTER_SEND, _("The reply is on the phone; the answer gets lost, the echo comes 5 seconds later.")),
    Trouble(Fault.CONNECTION_LOST, _("The connection breaks before Meta has the reply.")),
)  # fmt: skip

# Those that last until they are switched off.
LASTING = (
    Trouble(Fault.RISING, _("Every call uses up a fifth of the limit; at the limit Meta refuses."), None),
    Trouble(Fault.PERMISSION, _("Every call is refused for a missing permission (200)."), None),
    Trouble(Fault.SWITCHED_OFF, _("The owner has switched off access to messages (200/2534041)."), None, "", INSTAGRAM),
    Trouble(Fault.DOWN, _("Every call gets a page of HTML with status 503."), None),
    Trouble(Fault.PROFILE, _("Meta does not tell who the customer is."), None),
    Trouble(Fault.MEDIA, _("Photos and files can no longer be fetched (403)."), None),
    Trouble(Fault.DUPLICATE, _("Meta posts every event two times."), None),
    Trouble(Fault.REORDER, _("Every event waits a second and a half; later ones may overtake it."), None),
    Trouble(Fault.BATCH, _("Events wait a second and then come together in one POST."), None),
    Trouble(Fault.EARLY_ECHO, _("Meta takes a second to answer; the echo is there before."), None),
    Trouble(Fault.LATE_ECHO, _("Echoes of replies come 5 seconds late."), None),
    Trouble(Fault.STANDBY, _("Events come in standby: another app owns the conversation."), None),
    Trouble(Fault.EDIT_ZERO, _("After every message an edit that is none (num_edit 0)."), None),
    Trouble(Fault.NO_SENDER, _("Edits do not say whose they are."), None),
    Trouble(Fault.NUMBER_IDS, _("Ids are numbers instead of words."), None),
    Trouble(Fault.SECONDS, _("Times are seconds instead of milliseconds, as words."), None),
    Trouble(Fault.UNKNOWN, _("Events carry keys and items that nobody has announced."), None),
    Trouble(Fault.BOOSTED, _("A boosted post tells of each comment twice."), None, "", INSTAGRAM),
)  # fmt: skip

TROUBLES = {trouble.kind: trouble for trouble in (*NEXT_SEND, *LASTING)}

# Why a token dies, as the page offers it: (subcode of 190, words).
DEATHS = (
    (463, _("It has expired")),
    (460, _("The password was changed")),
    (458, _("The app was removed")),
    (459, _("Meta wants them to log in")),
    (464, _("The person is not confirmed")),
    (467, _("They logged out everywhere")),
    (492, _("They lost their role on the Page")),
)

# In this conversation alone; and for the whole account with its token and uploads.
SKIPS = {"24": timedelta(hours=24), "168": timedelta(days=7)}
ACCOUNT_SKIPS = {"1416": timedelta(days=59)}
