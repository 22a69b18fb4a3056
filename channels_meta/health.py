"""How an account is: what we know of it at once, and what a test finds out at Meta.

Each finding is a line for an admin who knows nothing of Meta: what, how it stands, one next step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db.models import Count, Min, Q, Sum
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.timesince import timesince, timeuntil
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from channels_meta import pacing
from channels_meta.arrivals import silence_of
from channels_meta.models import Credential
from channels_meta.scopes import FACEBOOK, INSTAGRAM, missing_scopes, missing_tasks
from channels_meta.subscriptions import NEEDED, missing_fields, wanted_fields
from inbox.channels import ErrorClass
from inbox.errors import retell
from inbox.models import Channel, Import, Message, Status

# A token that ends within this time is worth a look.
ENDS_SOON = timedelta(days=10)
# Replies that wait longer than this are late.
LATE = timedelta(minutes=10)
WEEK = timedelta(days=7)
MONTH = timedelta(days=30)
MOST_COUNTED = 1000
# From this share of failed sends on, windows are missed rather than unlucky.
MANY_WINDOWS = 50


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. name: what it is about. advice: the one next step, "" where none is needed.
    mark: another word for the level.

    step: what the page offers to do about it: reconnect, permissions, subscribe, import, test.
    """

    name: str | Promise
    level: Level
    says: str
    advice: str = ""
    code: str = ""
    step: str = ""
    mark: str = ""

    @property
    def word(self) -> str:
        return self.mark or str(_WORDS[self.level])


_WORDS = {
    Level.OK: gettext_lazy("Good"),
    Level.WARN: gettext_lazy("Look at it"),
    Level.BAD: gettext_lazy("Broken"),
    Level.UNKNOWN: gettext_lazy("Not known"),
}
_ORDER = (Level.OK, Level.UNKNOWN, Level.WARN, Level.BAD)


def worst(findings: list[Finding]) -> Level:
    return max((f.level for f in findings), key=_ORDER.index, default=Level.OK)


def credential_of(channel: Channel) -> Credential | None:
    try:
        return channel.meta
    except Credential.DoesNotExist:
        return None


def findings_of(channel: Channel) -> list[Finding]:
    """What is known without asking Meta: a fixed number of statements."""
    looks = (look_at_connection, look_at_queue) if channel.is_retired else LOOKS
    return [finding for look in looks for finding in look(channel)]


def ago(moment: datetime) -> str:
    """ "just now", "5 minutes ago": the largest unit is enough."""
    if now() - moment < timedelta(minutes=1):
        return _("just now")
    return _("%(span)s ago") % {"span": timesince(moment, depth=1)}


def left_until(moment: datetime) -> str:
    """ "59 days": tokens last so long that months would be too coarse."""
    left = moment - now()
    if left < timedelta(days=2):
        return timeuntil(moment, depth=1)
    return ngettext("%(count)d day", "%(count)d days", left.days) % {"count": left.days}


# --- the account ---------------------------------------------------------------------------------


def look_at_connection(channel: Channel) -> Iterator[Finding]:
    name = gettext_lazy("Connection")
    status = Channel.Status(channel.status)
    if status == Channel.Status.NEEDS_REAUTH:
        advice = _("Reconnect it. Replies that wait go out by themselves afterwards.")
        reason = retell(channel.status_reason) or _(
            "The connection to this account has ended."
        )
        yield Finding(name, Level.BAD, reason, advice, step="reconnect")
    elif status == Channel.Status.DISCONNECTED:
        says = retell(channel.status_reason) or _("This account is disconnected.")
        advice = _("Connect it again to go on; conversations and history are kept.")
        if channel.is_retired:
            off = _("Off")
            yield Finding(name, Level.UNKNOWN, says, advice, step="reconnect", mark=off)
        else:
            yield Finding(name, Level.BAD, says, advice, step="reconnect")
    elif status == Channel.Status.PAUSED:
        says = _("Somebody has paused this account: messages arrive, replies wait.")
        advice = _("Set its status to active in the settings of the channel.")
        yield Finding(name, Level.WARN, says, advice)
    elif channel.status_reason:
        yield Finding(
            name,
            Level.WARN,
            retell(channel.status_reason),
            _("Run the self-test: it finds out what is the matter."),
            step="test",
        )
    else:
        yield Finding(name, Level.OK, _connected_by(channel))


def _connected_by(channel: Channel) -> str:
    credential = credential_of(channel)
    if credential is None:
        return _("Connected.")
    if credential.flavour == INSTAGRAM:
        return _("Connected with Instagram Login.")
    if channel.kind == "instagram":
        return _("Connected with Facebook Login, through its Facebook Page.")
    return _("Connected with Facebook Login.")


def look_at_token(channel: Channel) -> Iterator[Finding]:
    name = gettext_lazy("Access token")
    credential = credential_of(channel)
    if credential is None:
        says = _("Dexra holds no token for this account.")
        yield Finding(name, Level.BAD, says, _("Connect it again."), step="reconnect")
        return
    ends_at, moment = credential.token_expires_at, now()
    age = _age(credential.token_issued_at)
    if ends_at is None:
        says = " ".join([_("Does not end by time."), age, _checked(credential)])
        yield Finding(name, Level.OK, says.strip())
    elif ends_at <= moment:
        says = _("Has ended %(ago)s.") % {"ago": ago(ends_at)}
        yield Finding(name, Level.BAD, says, _("Reconnect it."), step="reconnect")
    else:
        says = _("Ends in %(left)s.") % {"left": left_until(ends_at)}
        says = " ".join([says, age, _checked(credential)]).strip()
        renewed = _("Dexra renews it by itself every week.")
        if ends_at - moment < ENDS_SOON:
            advice = _("Renewing it has failed so far. Reconnect it before it ends.")
            yield Finding(name, Level.WARN, says, advice, step="reconnect")
        elif credential.flavour == INSTAGRAM:
            yield Finding(name, Level.OK, f"{says} {renewed}")
        else:
            yield Finding(name, Level.OK, says)


def _age(issued_at: datetime | None) -> str:
    if issued_at is None:
        return ""
    return _("Given %(ago)s.") % {"ago": ago(issued_at)}


def _checked(credential: Credential) -> str:
    checked_at = credential.token_checked_at
    if checked_at is None:
        return ""
    return _("Checked %(ago)s.") % {"ago": ago(checked_at)}


def look_at_data_access(channel: Channel) -> Iterator[Finding]:
    name = gettext_lazy("Access to data")
    credential = credential_of(channel)
    if credential is None or credential.flavour != FACEBOOK:
        return
    ends_at, moment = credential.data_access_expires_at, now()
    if ends_at is None:
        return
    left = left_until(ends_at)
    if ends_at <= moment:
        says = _("Meta's permission to read data has lapsed.")
        advice = _("Reconnect it: that renews the permission for 90 days.")
        yield Finding(name, Level.BAD, says, advice, step="reconnect")
    elif ends_at - moment < ENDS_SOON:
        says = _("Meta's permission to read data lapses in %(left)s.") % {"left": left}
        advice = _("Reconnect it: that renews the permission for 90 days.")
        yield Finding(name, Level.WARN, says, advice, step="reconnect")
    else:
        says = _("Granted for another %(left)s.") % {"left": left}
        yield Finding(name, Level.OK, says)


def look_at_scopes(channel: Channel) -> Iterator[Finding]:
    credential = credential_of(channel)
    if credential is not None:
        yield scopes_finding(channel, credential)


def scopes_finding(channel: Channel, credential: Credential) -> Finding:
    name = gettext_lazy("Permissions")
    granted = credential.scopes
    if not granted:
        says = _("Meta has not said which permissions were given.")
        return Finding(name, Level.UNKNOWN, says)
    needed, useful = missing_scopes(
        flavour=credential.flavour, kind=channel.kind, granted=granted
    )
    if not needed and not useful:
        return Finding(name, Level.OK, _("All that Dexra asks for were given."))
    lost = _("; ").join(f"{scope.gives} ({scope.name})" for scope in needed + useful)
    says = _("Missing, and so Dexra cannot: %(lost)s.") % {"lost": lost}
    advice = _("Reconnect it, and leave every switch on in Meta's window.")
    level = Level.BAD if needed else Level.WARN
    return Finding(name, level, says, advice, step="permissions")


def look_at_tasks(channel: Channel) -> Iterator[Finding]:
    name = gettext_lazy("Role on the Page")
    credential = credential_of(channel)
    if credential is None or credential.flavour != FACEBOOK:
        return
    if not credential.tasks:
        says = _("Meta has not said what the person who connected it may do.")
        yield Finding(name, Level.UNKNOWN, says)
    elif lacking := missing_tasks(credential.tasks):
        says = _("Whoever connected it lacks: %(tasks)s.") % {
            "tasks": _(", ").join(lacking)
        }
        advice = _(
            "The Page's owner grants it on Facebook: Page settings, Page access. Then "
            "reconnect it."
        )
        yield Finding(name, Level.BAD, says, advice, step="reconnect")
    else:
        says = _("Whoever connected it may handle messages and comments.")
        yield Finding(name, Level.OK, says)


def look_at_subscription(channel: Channel) -> Iterator[Finding]:
    credential = credential_of(channel)
    if credential is not None:
        yield subscription_finding(credential)


def subscription_finding(credential: Credential) -> Finding:
    """Field by field: what Meta reports to us, as of when we last asked."""
    name = gettext_lazy("What Meta reports")
    checked_at, fields = (
        credential.subscription_checked_at,
        credential.subscribed_fields,
    )
    if checked_at is None:
        says, mark = _("Meta was not asked yet."), _("Not yet")
        return Finding(name, Level.UNKNOWN, says, step="subscribe", mark=mark)
    asked = _("Asked %(ago)s.") % {"ago": ago(checked_at)}
    wanted = wanted_fields(credential)
    missing = missing_fields(wanted, fields)
    again = _("Subscribe again. If it stays so, run the self-test.")
    if not fields:
        says = _("Nothing: new messages do not arrive.")
        return Finding(name, Level.BAD, f"{says} {asked}", again, step="subscribe")
    count = len(wanted) - len(missing)
    says = _("%(count)d of %(wanted)d kinds of events.") % {
        "count": count,
        "wanted": len(wanted),
    }
    if missing:
        lacks = _("Missing: %(fields)s.") % {"fields": _(", ").join(missing)}
        says = f"{says} {lacks}"
        level = Level.BAD if NEEDED.intersection(missing) else Level.WARN
        return Finding(name, level, f"{says} {asked}", again, step="subscribe")
    return Finding(name, Level.OK, f"{says} {asked}")


# --- what goes on --------------------------------------------------------------------------------


def look_at_arrivals(channel: Channel) -> Iterator[Finding]:
    name = gettext_lazy("Last event")
    silence = silence_of(channel)
    if silence.last_at is None:
        says = _("Nothing has arrived yet.")
        advice = _(
            "Write a message to the account from another one, and watch it arrive."
        )
        yield Finding(name, Level.UNKNOWN, says, advice, mark=_("Not yet"))
    elif silence.is_unusual:
        advice = _("Run the self-test: it shows whether Meta has stopped reporting.")
        yield Finding(name, Level.WARN, silence.sentence, advice, step="test")
    else:
        says = capfirst(ago(silence.last_at)) + "."
        if silence.usual is not None:
            moment = now()
            usual = timesince(moment - silence.usual, moment, depth=1)
            longest = _("The longest pause lately was %(usual)s.") % {"usual": usual}
            says = f"{says} {longest}"
        yield Finding(name, Level.OK, says)


def look_at_last_error(channel: Channel) -> Iterator[Finding]:
    if not channel.last_error:
        return
    advice = _(
        "Run the self-test. If it finds nothing, the next success clears this line."
    )
    says = channel.last_error
    if channel.last_error_at:
        says = f"{says} ({ago(channel.last_error_at)})"
    name, code = gettext_lazy("Last refusal"), channel.last_error_code
    yield Finding(name, Level.WARN, says, advice, code=code, step="test")


def look_at_queue(channel: Channel) -> Iterator[Finding]:
    name = gettext_lazy("Waiting replies")
    queued = Message.objects.filter(channel=channel, status=Status.QUEUED)
    found = queued.order_by()[:MOST_COUNTED].aggregate(
        n=Count("pk"), since=Min("sent_at")
    )
    count, since = found["n"], found["since"]
    if channel.blocked_until and channel.blocked_until > now():
        left = left_until(channel.blocked_until)
        says = _("Meta asked this account to slow down, for another %(left)s.")
        advice = _("Nothing is to be done: replies go out by themselves then.")
        yield Finding(name, Level.WARN, says % {"left": left}, advice)
    elif not count:
        yield Finding(name, Level.OK, _("None."))
    else:
        says = ngettext(
            "%(count)d reply waits, for %(since)s.",
            "%(count)d replies wait, the oldest for %(since)s.",
            count,
        ) % {"count": count, "since": timesince(since, depth=1)}
        is_late = since < now() - LATE
        advice = _("They go out as soon as the account works again.") if is_late else ""
        yield Finding(name, Level.WARN if is_late else Level.OK, says, advice)


def look_at_windows(channel: Channel) -> Iterator[Finding]:
    """Of what failed in a week, how much because nobody had answered in time."""
    name = gettext_lazy("Closed reply windows")
    failed = Message.objects.filter(
        channel=channel, status=Status.FAILED, sent_at__gte=now() - WEEK
    )
    counts = failed.aggregate(
        all=Count("pk"),
        window=Count("pk", filter=Q(error_class=ErrorClass.WINDOW_CLOSED)),
    )
    if not counts["all"]:
        yield Finding(name, Level.OK, _("No reply has failed in 7 days."))
        return
    share = round(100 * counts["window"] / counts["all"])
    says = _("%(window)d of %(all)d failed replies of 7 days (%(share)d%%).") % {
        **counts,
        "share": share,
    }
    advice = ""
    level = Level.OK
    if share >= MANY_WINDOWS and counts["window"] > 2:
        level = Level.WARN
        advice = _(
            "Answer sooner, or ask Meta for the Human Agent feature: it gives people seven "
            "days instead of one."
        )
    yield Finding(name, level, says, advice)


def look_at_imports(channel: Channel) -> Iterator[Finding]:
    name = gettext_lazy("Earlier messages")
    runs = Import.objects.filter(channel=channel)
    newest = runs.order_by("-id").first()
    if newest is None:
        says, mark = _("Nothing was imported or compared yet."), _("Not yet")
        yield Finding(name, Level.UNKNOWN, says, step="import", mark=mark)
        return
    sums = runs.filter(started_at__gte=now() - MONTH).aggregate(
        messages=Sum("messages"), recovered=Sum("recovered")
    )
    recovered = sums["recovered"] or 0
    says = ngettext(
        "%(count)d message that Meta had not reported was recovered in 30 days.",
        "%(count)d messages that Meta had not reported were recovered in 30 days.",
        recovered,
    ) % {"count": recovered}
    if newest.state == Import.State.RUNNING:
        running = _("Import under way: %(count)d conversations so far.") % {
            "count": newest.conversations
        }
        yield Finding(name, Level.OK, f"{running} {says}")
    elif newest.state == Import.State.FAILED:
        advice = _("Compare again; if it fails again, run the self-test.")
        failed = _("The last comparison failed.")
        says = f"{failed} {newest.error}".strip()
        yield Finding(name, Level.WARN, says, advice, step="import")
    else:
        yield Finding(name, Level.OK, says, step="import")


def look_at_usage(channel: Channel) -> Iterator[Finding]:
    name = gettext_lazy("Meta's limits")
    percent = pacing.busy_percent(channel.pk)
    if percent is not None:
        says = _("%(percent)d%% of what Meta allows is used.") % {"percent": percent}
        advice = _("Nothing is to be done: Dexra goes slower by itself.")
        yield Finding(name, Level.WARN, says, advice)


LOOKS: tuple[Callable[[Channel], Iterator[Finding]], ...] = (
    look_at_connection,
    look_at_token,
    look_at_data_access,
    look_at_scopes,
    look_at_tasks,
    look_at_subscription,
    look_at_arrivals,
    look_at_last_error,
    look_at_queue,
    look_at_windows,
    look_at_imports,
    look_at_usage,
)
# What a list of many accounts can afford to ask of each.
GLANCES = (look_at_connection, look_at_token, look_at_data_access, look_at_scopes)


def glance(channel: Channel) -> Finding:
    """The worst of what a row tells by itself."""
    looks = (look_at_connection,) if channel.is_retired else GLANCES
    found = [finding for look in looks for finding in look(channel)]
    if credential := credential_of(channel):
        found.append(subscribed_at_a_glance(credential))
    return max(found, key=lambda finding: _ORDER.index(finding.level))


def subscribed_at_a_glance(credential: Credential) -> Finding:
    name = gettext_lazy("What Meta reports")
    if credential.subscription_checked_at is None or credential.subscribed_fields:
        return Finding(name, Level.OK, _("Meta reports new messages."))
    says = _("Nothing: new messages do not arrive.")
    return Finding(name, Level.BAD, says)
