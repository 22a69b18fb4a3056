"""What the composer knows of files before they are uploaded: kinds, sizes, and the sentences."""

from __future__ import annotations

import json

from django.utils.translation import gettext as _

from inbox.channels import ChannelAdapter
from inbox.content import KIND_WORDS, MAX_FILES, size_words, type_names


def accepted_types(adapter: ChannelAdapter) -> str:
    """For the file picker; "" where everything may be chosen."""
    limits = adapter.limits.media.values()
    if any(not limit.types for limit in limits):
        return ""
    return ",".join(sorted(set().union(*(limit.types for limit in limits))))


def file_rules(adapter: ChannelAdapter) -> str:
    """JSON for compose.js: by kind what it may be and how large, with what to say if it is not.

    The server looks into each file again; here a person is told before anything is uploaded.
    """
    channel = str(adapter.label)
    kinds = {}
    for kind, limit in adapter.limits.media.items():
        told = {"channel": channel, "kinds": str(KIND_WORDS[kind]), "name": "{name}"}
        too_large = _(
            "%(name)s is too large: %(channel)s takes %(kinds)s up to %(limit)s, this is %(size)s."
        )
        wrong_type = _(
            "%(name)s cannot be sent: %(channel)s takes %(kinds)s as %(types)s."
        )
        kinds[kind] = {
            "max": limit.max_bytes,
            "types": sorted(limit.types),
            "large": too_large
            % {**told, "limit": size_words(limit.max_bytes), "size": "{size}"},
            "wrong": wrong_type % {**told, "types": type_names(limit.types)},
        }
    return json.dumps(
        {
            "kinds": kinds,
            "most": MAX_FILES,
            "many": _("At most %(limit)d files at once.") % {"limit": MAX_FILES},
            "none": _("%(channel)s does not take this kind of file: %(kind)s.")
            % {"channel": channel, "kind": "{name}"},
            "empty": _("%(name)s is empty.") % {"name": "{name}"},
            "megabytes": _("%(count)s MB") % {"count": "{n}"},
            "kilobytes": _("%(count)s kB") % {"count": "{n}"},
            "remove": _("Remove %(name)s") % {"name": "{name}"},
            "alone": _("sent as its own message"),
            "lost": _("%(name)s did not get through. Try again or remove it.")
            % {"name": "{name}"},
        }
    )
