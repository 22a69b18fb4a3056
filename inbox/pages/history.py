"""How far an import or a comparison has come: a fragment for pages about an account."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from inbox.history import Progress, progress_of
from inbox.models import Channel, Import
from inbox.pages.clock import full_moment
from inbox.pages.http import AgentRequest, agent_page


@dataclass(frozen=True, slots=True)
class ImportShown:
    """What `inbox/_import_progress.html` draws. percent: None while nobody can tell."""

    channel_id: int
    is_running: bool
    percent: int | None
    words: str
    tone: str
    icon: str


def import_of(channel: Channel) -> ImportShown | None:
    """The newest import or comparison of an account; None if there was none."""
    progress = progress_of(channel)
    if progress is None:
        return None
    tone, icon = _LOOKS[Import.State(progress.run.state)]
    return ImportShown(
        channel_id=channel.pk,
        is_running=progress.is_running,
        percent=progress.percent,
        words=_words(progress),
        tone=tone,
        icon=icon,
    )


_LOOKS = {
    Import.State.RUNNING: ("info", "download"),
    Import.State.DONE: ("ok", "check"),
    Import.State.FAILED: ("warn", "warn"),
}


def _words(progress: Progress) -> str:
    run = progress.run
    is_import = run.reason == Import.Reason.CONNECTED
    if run.state == Import.State.FAILED:
        what = (
            _("The import of earlier conversations stopped.")
            if is_import
            else _("The comparison with the channel stopped.")
        )
        return f"{what} {run.error}".strip()
    if run.state == Import.State.RUNNING:
        what = (
            _("Earlier conversations are being imported.")
            if is_import
            else _("Dexra compares its messages with those of the channel.")
        )
        so_far = _("So far: %(counted)s.") % {"counted": _counted(run)}
        return " ".join(part for part in (what, so_far, run.error) if part)
    return _outcome(run, is_import=is_import)


def _outcome(run: Import, *, is_import: bool) -> str:
    if is_import:
        return _("Earlier conversations were imported: %(counted)s.") % {
            "counted": _counted(run)
        }
    when = {"when": full_moment(run.finished_at or run.started_at)}
    compared = _("Compared with the channel: %(when)s.") % when
    if not run.recovered:
        return compared + " " + _("Nothing was missing.")
    found = ngettext(
        "%(count)d message was missing and is here now.",
        "%(count)d messages were missing and are here now.",
        run.recovered,
    )
    return f"{compared} {found % {'count': run.recovered}}"


def _counted(run: Import) -> str:
    conversations = ngettext(
        "%(count)d conversation", "%(count)d conversations", run.conversations
    ) % {"count": run.conversations}
    messages = ngettext(
        "%(count)d new message", "%(count)d new messages", run.messages
    ) % {"count": run.messages}
    return _("%(conversations)s, %(messages)s") % {
        "conversations": conversations,
        "messages": messages,
    }


@agent_page
@require_GET
def import_progress(request: AgentRequest, pk: int) -> HttpResponse:
    """The fragment asks for itself again while the import runs."""
    if not request.user.has_perm("inbox.change_channel"):
        raise Http404
    shown = import_of(get_object_or_404(Channel, pk=pk))
    return render(request, "inbox/_import_progress.html", {"import": shown})
