"""Files given to Meta ahead of their message: the attachment upload API (contract 6.5)."""

from __future__ import annotations

import json
from datetime import timedelta

from django.core.files.storage import default_storage
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from channels_meta.errors import OTHER_FILE, TRY_LATER
from channels_meta.graph import GraphClient
from inbox.channels import ErrorClass, OutgoingMedia, SendError, Upload

# Meta forgets an upload after 90 days; a day less, so that none is forgotten on its way.
UPLOAD_LIFE = timedelta(days=89)


def upload_media(
    client: GraphClient, node_id: str, media: OutgoingMedia, *, platform: str = ""
) -> Upload:
    """Give Meta a file of ours. platform: "instagram" for that of a Page's Instagram account.

    Raises SendError, also where our own storage has the file no longer.
    """
    attachment = {"type": media.kind, "payload": {"is_reusable": True}}
    fields = {"message": json.dumps({"attachment": attachment})}
    if platform:
        fields["platform"] = platform
    try:
        file = default_storage.open(media.path)
    except OSError as error:
        raise SendError(
            ErrorClass.BAD_REQUEST,
            _("Dexra no longer has this file."),
            code="no_file",
            advice=_("Attach it again."),
        ) from error
    with file:
        answer = client.upload(
            f"{node_id}/message_attachments",
            fields,
            file=file,
            name=_ascii_name(media),
            mime_type=media.mime_type or "application/octet-stream",
        )
    attachment_id = answer.get("attachment_id")
    if not attachment_id:
        raise SendError(
            ErrorClass.TRANSIENT, TRY_LATER, code="no_attachment_id", advice=OTHER_FILE
        )
    return Upload(str(attachment_id), now() + UPLOAD_LIFE)


def _ascii_name(media: OutgoingMedia) -> str:
    """Meta takes no other names; the ending is what counts."""
    name = (media.name or media.path).rpartition("/")[2]
    stem, dot, ending = name.rpartition(".")
    plain = "".join(c for c in stem if c.isascii() and (c.isalnum() or c in " -_"))
    return f"{plain.strip() or media.kind}{dot}{ending if ending.isascii() else ''}"
