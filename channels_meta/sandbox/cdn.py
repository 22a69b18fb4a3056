"""The pretend CDN: serves what was sent, to whoever has the signed address, until that expires."""

from __future__ import annotations

import hmac
import secrets
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles import finders
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_safe

from channels_meta.sandbox import clock, faults
from channels_meta.sandbox.faults import Fault
from channels_meta.sandbox.models import SandboxMessage, SandboxUpload

# Meta publishes no time for files; a story is gone after a day.
MEDIA_LASTS = timedelta(days=7)
STORY_LASTS = timedelta(hours=24)
STORIES = {SandboxMessage.Kind.STORY_MENTION, SandboxMessage.Kind.STORY_REPLY}
TYPES = {
    ".png": "image/png",
    ".wav": "audio/wav",
    ".mp4": "video/mp4",
    ".pdf": "application/pdf",
}
# Shown in place; anything else is only ever saved.
SHOWN_TYPES = {"image/png", "image/jpeg", "image/gif", "image/webp", "audio/wav", "audio/mpeg", "audio/mp4", "video/mp4"}  # fmt: skip


def make_asset_id() -> str:
    return str(secrets.randbelow(9 * 10**15) + 10**15)


def address_of(asset_id: str, name: str) -> str:
    """The absolute, signed address of one of our static files, for one message."""
    path = reverse("sandbox:cdn", args=[name])
    signature = _sign(asset_id, name)
    return f"{settings.PUBLIC_URL}{path}?asset_id={asset_id}&signature={signature}"


def address_of_upload(upload: SandboxUpload) -> str:
    if upload.url:
        return upload.url
    return address_of(
        upload.attachment_id, f"uploads/{Path(str(upload.file.name)).name}"
    )


@require_safe
def serve(request: HttpRequest, name: str) -> HttpResponseBase:
    """A story for a day, anything else for a week; nothing of what was unsent."""
    asset_id = request.GET.get("asset_id", "")
    given = request.GET.get("signature", "")
    if not hmac.compare_digest(given.encode(), _sign(asset_id, name).encode()):
        return _refusal(403, "Bad URL hash")
    message = SandboxMessage.objects.filter(asset_id=asset_id).select_related("person__account").first()  # fmt: skip
    if message is not None:
        return _serve_message(message, name)
    upload = SandboxUpload.objects.filter(attachment_id=asset_id).first()
    if upload is None or not upload.file:
        return _refusal(404, "Not found")
    return _file(FileResponse(upload.file.open("rb")), upload.mime_type)


def _serve_message(message: SandboxMessage, name: str) -> HttpResponseBase:
    if message.unsent_at:
        return _refusal(404, "Not found")
    lasts = STORY_LASTS if message.kind in STORIES else MEDIA_LASTS
    is_over = clock.is_over(message.sent_at, lasts)
    if is_over or faults.strikes(message.person.account, Fault.MEDIA):
        return _refusal(403, "URL signature expired")
    found = finders.find(name)
    if not isinstance(found, str):
        return _refusal(404, "Not found")
    guessed = TYPES.get(Path(name).suffix, "application/octet-stream")
    return _file(FileResponse(Path(found).open("rb")), guessed)


def _file(response: FileResponse, mime_type: str) -> HttpResponseBase:
    is_shown = mime_type in SHOWN_TYPES
    response["Content-Type"] = mime_type or "application/octet-stream"
    response["Content-Disposition"] = "inline" if is_shown else "attachment"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, max-age=600"
    return response


def _refusal(status: int, words: str) -> HttpResponse:
    return HttpResponse(words, status=status, content_type="text/plain")


def _sign(asset_id: str, name: str) -> str:
    key = settings.SECRET_KEY.encode()
    return hmac.new(key, f"sandbox-cdn|{asset_id}|{name}".encode(), "sha256").hexdigest()[:40]  # fmt: skip
