"""How the two pretend hosts refuse: statuses, envelopes and words as Meta's."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field

from django.http import JsonResponse

# Instagram translates its errors to the account's language: code decides, never text.
INSTAGRAM_WINDOW = "Ce message est envoyé en dehors de la période autorisée. Pour en savoir plus, consultez la documentation des développeurs."


@dataclass(frozen=True, slots=True)
class Host:
    """What tells the answers of one Graph host from the other's."""

    name: str
    kind: str
    error_type: str
    version_header: str
    app_usage: dict[str, int]


HOSTS = {
    "facebook": Host(
        "facebook",
        "messenger",
        "OAuthException",
        "facebook-api-version",
        {"call_count": 3, "total_time": 2, "total_cputime": 1},
    ),
    "instagram": Host(
        "instagram",
        "instagram",
        "IGApiException",
        "instagram-api-version",
        {"call_volume": 3, "cpu_time": 1},
    ),
}


@dataclass(slots=True)
class GraphError(Exception):
    """What the pretend API answers instead of a result."""

    code: int
    message: str
    subcode: int | None = None
    status: int = 400
    is_transient: bool = False
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return f"{self.code}/{self.subcode}" if self.subcode else str(self.code)

    def response(self, host: Host) -> JsonResponse:
        error: dict[str, object] = {
            "message": self.message,
            "type": host.error_type,
            "code": self.code,
            "is_transient": self.is_transient,
            "fbtrace_id": "A" + secrets.token_urlsafe(16),
        }
        if self.subcode:
            error["error_subcode"] = self.subcode
        return JsonResponse({"error": error}, status=self.status, headers=self.headers)


def token_invalid(subcode: int = 463) -> GraphError:
    reasons = {
        463: "Session has expired",
        460: "The session has been invalidated because the user changed their password",
    }
    return GraphError(
        190,
        f"Error validating access token: {reasons[subcode]}.",
        subcode,
        status=400 if subcode == 460 else 401,
        headers={
            "www-authenticate": 'OAuth "Facebook Platform" "invalid_token" "Error validating access token"'
        },
    )


def window_closed(host: Host) -> GraphError:
    if host.name == "instagram":
        return GraphError(10, INSTAGRAM_WINDOW, 2534022, status=403)
    return GraphError(
        10,
        "(#10) This message is sent outside of allowed window. Learn more about the new policy here: https://developers.facebook.com/docs/messenger-platform/policy-overview",
        2018278,
    )


def no_such_person(host: Host) -> GraphError:
    if host.name == "instagram":
        return GraphError(100, "The requested user cannot be found.", subcode=2534014)
    return GraphError(100, "(#100) No matching user found", subcode=2018001)


def too_long(host: Host) -> GraphError:
    if host.name == "instagram":
        return GraphError(
            100,
            "(#100) Length of param message[text] must be less than or equal to 1000",
            2534015,
        )
    return GraphError(
        100, "(#100) Length of param message[text] must be less than or equal to 2000"
    )


def throttled(host: Host, account_id: str) -> GraphError:
    usage = {
        "type": host.kind,
        "call_count": 100,
        "total_cputime": 12,
        "total_time": 14,
        "estimated_time_to_regain_access": 1,
    }
    return GraphError(
        613 if host.name == "facebook" else 80002,
        "Calls to this api have exceeded the rate limit.",
        headers={"X-Business-Use-Case-Usage": json.dumps({account_id: [usage]})},
    )


def no_such_object(node: str) -> GraphError:
    return GraphError(
        100,
        f"Unsupported request. Object with ID '{node}' does not exist, cannot be loaded due to missing permissions, or does not support this operation.",
        33,
    )
