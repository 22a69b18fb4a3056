"""POST /{node}/message_attachments: a file by its bytes or its address, for 90 days."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.timezone import now

from channels_meta.sandbox import cdn, errors
from channels_meta.sandbox.errors import GraphError
from channels_meta.sandbox.graph import content
from channels_meta.sandbox.graph.door import Call, graph_view, note
from channels_meta.sandbox.graph.messages import check_may_send
from channels_meta.sandbox.graph.parameters import as_dict, as_text
from channels_meta.sandbox.models import SandboxAccount, SandboxCall, SandboxUpload

if TYPE_CHECKING:
    File = UploadedFile[Any]

MAX_BYTES = 25 * 1024 * 1024
# What an Instagram account may send by id (since 2026-03-13).
INSTAGRAM_KINDS = {"image"}


@graph_view("POST")
def upload(call: Call, node: str) -> HttpResponse:
    account = _account(call, node)
    check_may_send(call, account)
    attachment = as_dict(as_dict(call.data.get("message")).get("attachment"))
    kind = as_text(attachment.get("type"))
    url = as_text(as_dict(attachment.get("payload")).get("url"))
    file = _file(call.request)
    _check(account, kind, url, file)
    row = SandboxUpload.objects.create(
        account=account,
        attachment_id=cdn.make_asset_id(),
        kind=kind,
        url=url,
        file=file or "",
        name=(file.name or "")[:200] if file else "",
        mime_type=(file.content_type or "")[:100] if file else "",
        uploaded_at=now(),
    )
    response = JsonResponse({"attachment_id": row.attachment_id})
    asked = {"type": kind, "url": url, "size": file.size if file else None}
    note(
        call,
        account,
        SandboxCall.Kind.UPLOAD,
        response,
        summary=row.attachment_id,
        asked=asked,
    )
    return response


def _file(request: HttpRequest) -> File | None:
    found = next(iter(request.FILES.values()), None)
    return found if isinstance(found, UploadedFile) else None


def _account(call: Call, node: str) -> SandboxAccount:
    """`platform=instagram` means the account that is linked to the Page."""
    account = call.own(node)
    if call.data.get("platform") != "instagram" or account.is_instagram:
        return account
    linked = account.linked.first()
    if linked is None:
        raise GraphError(
            100, "(#100) Page is not linked to an Instagram account", 2534013
        )
    linked.page = account
    return linked


def _check(account: SandboxAccount, kind: str, url: str, file: File | None) -> None:
    """Raises GraphError for what cannot be an attachment."""
    if kind not in content.MEDIA_KINDS or not (url or file):
        raise errors.bad_parameter("Unsupported attachment type")
    if account.is_instagram and kind not in INSTAGRAM_KINDS:
        raise errors.bad_parameter("Upload attachment failure.", 2018047)
    if file is None:
        if not content.is_fit(account, kind, url):
            raise errors.bad_parameter("Upload attachment failure.", 2018047)
        content.check_reachable(url)
        return
    if (file.size or 0) > MAX_BYTES:
        raise errors.bad_parameter("Attachment size exceeds allowable limit", 2018109)
    declared = (file.content_type or "").partition("/")[0]
    if kind != "file" and declared != kind:
        raise errors.bad_parameter("Upload attachment failure.", 2018047)
