"""How the two pretend hosts refuse: statuses, envelopes and words as Meta's (contract 7)."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field

from django.http import HttpResponse, JsonResponse

from channels_meta.sandbox.login.tokens import SUBCODES


@dataclass(frozen=True, slots=True)
class Host:
    """What tells the answers of one Graph host from the other's.

    usage: the keys of its x-app-usage, the first being what counts.
    """

    name: str
    kind: str
    error_type: str
    version_header: str
    usage: tuple[str, ...]


HOSTS = {
    "facebook": Host(
        "facebook",
        "messenger",
        "OAuthException",
        "facebook-api-version",
        ("call_count", "total_time", "total_cputime"),
    ),
    "instagram": Host(
        "instagram",
        "instagram",
        "IGApiException",
        "instagram-api-version",
        ("call_volume", "cpu_time"),
    ),
}

# Instagram translates its errors to the account's language: code decides, never text.
TRANSLATED = {
    "window": {
        "fr": "Ce message est envoyé en dehors de la période autorisée. Pour en savoir plus, consultez la documentation des développeurs.",
        "es": "Este mensaje se envía fuera del período permitido.",
        "ar": "تم إرسال هذه الرسالة خارج الفترة المسموح بها.",
    },
    "person": {
        "fr": "L’utilisateur demandé est introuvable.",
        "es": "No se encuentra el usuario solicitado.",
        "ar": "يتعذر العثور على المستخدم المطلوب.",
    },
    "permission": {
        "fr": "L’application n’a pas l’autorisation nécessaire pour cette action.",
        "es": "La aplicación no tiene permiso para esta acción.",
        "ar": "لا يملك التطبيق إذنًا لهذا الإجراء.",
    },
    "rate": {
        "fr": "Le nombre d’appels autorisé pour cette application a été atteint.",
        "es": "Se alcanzó el límite de solicitudes de la aplicación.",
        "ar": "تم بلوغ حد طلبات التطبيق.",
    },
    "object": {
        "fr": "Requête non prise en charge. L’objet n’existe pas ou ne peut pas être chargé.",
        "es": "Solicitud no admitida. El objeto no existe o no se puede cargar.",
        "ar": "طلب غير مدعوم. الكائن غير موجود أو يتعذر تحميله.",
    },
}


@dataclass(slots=True)
class GraphError(Exception):
    """What the pretend API answers instead of a result.

    topic: under which Instagram has it in the account's language. kind: an error type that is
    not the host's own.
    """

    code: int
    message: str
    subcode: int | None = None
    status: int = 400
    is_transient: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    topic: str = ""
    kind: str = ""

    @property
    def label(self) -> str:
        return f"{self.code}/{self.subcode}" if self.subcode else str(self.code)

    def response(self, host: Host, language: str = "") -> HttpResponse:
        message = self.message
        if host.name == "instagram":
            message = TRANSLATED.get(self.topic, {}).get(language, message)
        error: dict[str, object] = {
            "message": message,
            "type": self.kind or host.error_type,
            "code": self.code,
            "is_transient": self.is_transient,
            "fbtrace_id": "A" + secrets.token_urlsafe(16),
        }
        if self.subcode:
            error["error_subcode"] = self.subcode
        return JsonResponse({"error": error}, status=self.status, headers=self.headers)


@dataclass(slots=True)
class FlatError(Exception):
    """The other envelope: that of Instagram's login host."""

    message: str
    status: int = 400

    def response(self) -> HttpResponse:
        body = {
            "error_type": "OAuthException",
            "code": self.status,
            "error_message": self.message,
        }
        return JsonResponse(body, status=self.status)


class MetaDown(Exception):
    """No Graph at all answers: a page of HTML comes instead, with this status."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status

    def response(self) -> HttpResponse:
        page = "<html><head><title>Error</title></head><body><h1>Sorry, something went wrong.</h1></body></html>"
        return HttpResponse(page, status=self.status, content_type="text/html")


# --- tokens and permissions --------------------------------------------------------------------------


def token_invalid(subcode: int = 463) -> GraphError:
    return GraphError(
        190,
        f"Error validating access token: {SUBCODES.get(subcode, SUBCODES[463])}.",
        subcode,
        status=400 if subcode == 460 else 401,
        headers={
            "www-authenticate": 'OAuth "Facebook Platform" "invalid_token" "Error validating access token"'
        },
        kind="OAuthException",
    )


def not_a_token() -> GraphError:
    """Nothing that anybody handed out."""
    return token_invalid()


def permission_missing(name: str, *, code: int = 10) -> GraphError:
    return GraphError(
        code,
        f"(#{code}) Application does not have permission for this action: requires {name}",
        topic="permission",
        status=403 if code == 200 else 400,
    )


def messages_switched_off() -> GraphError:
    return GraphError(
        200,
        "(#200) The account owner has disabled access to instagram direct messages.",
        2534041,
        status=403,
    )


# --- sending -----------------------------------------------------------------------------------------


def window_closed(host: Host, *, is_instagram: bool) -> GraphError:
    if is_instagram:
        return GraphError(
            10,
            "This message is sent outside of allowed window.",
            2534022,
            status=403 if host.name == "instagram" else 400,
            topic="window",
        )
    return GraphError(
        10,
        "(#10) This message is sent outside of allowed window. Learn more about the new policy here: https://developers.facebook.com/docs/messenger-platform/policy-overview",
        2018278,
    )


def no_such_person(*, is_instagram: bool) -> GraphError:
    if is_instagram:
        return GraphError(
            100, "The requested user cannot be found.", 2534014, topic="person"
        )
    return GraphError(100, "(#100) No matching user found", 2018001)


def too_long(*, is_instagram: bool) -> GraphError:
    if is_instagram:
        return GraphError(
            100,
            "(#100) Length of param message[text] must be less than or equal to 1000",
            2534015,
        )
    return GraphError(
        100, "(#100) Length of param message[text] must be less than or equal to 2000"
    )


def bad_parameter(what: str, subcode: int | None = None) -> GraphError:
    return GraphError(100, f"(#100) {what}", subcode)


def private_reply_refused(*, is_instagram: bool, is_used: bool) -> GraphError:
    """Used up, or too late: Instagram does not say which."""
    if is_instagram:
        return GraphError(100, "This comment cannot be replied to privately.", 2534025)
    if is_used:
        return GraphError(10900, "(#10900) Activity already replied to")
    return GraphError(10903, "(#10903) This user can't reply to this activity")


def thread_of_other_app(*, is_instagram: bool) -> GraphError:
    if is_instagram:
        return GraphError(100, "(#100) You are not the owner of the thread.", 2534037)
    return GraphError(
        2018300,
        "(#10) Message failed to send because another app is controlling this thread now.",
    )


# --- limits ------------------------------------------------------------------------------------------


def throttled(
    host: Host, account_id: str, *, code: int | None = None, minutes: int = 1
) -> GraphError:
    code = code or (613 if host.name == "facebook" else 80002)
    usage = usage_of_business(host, percent=100, minutes=minutes)
    return GraphError(
        code,
        "Calls to this api have exceeded the rate limit.",
        headers={"X-Business-Use-Case-Usage": json.dumps({account_id: [usage]})},
        topic="rate",
        is_transient=code == 4,
    )


def usage_of_business(
    host: Host, *, percent: int, minutes: int = 0
) -> dict[str, object]:
    return {
        "type": host.kind,
        "call_count": percent,
        "total_cputime": min(12, percent),
        "total_time": min(14, percent),
        "estimated_time_to_regain_access": minutes,
    }


# --- reading -----------------------------------------------------------------------------------------


def no_such_object(node: str) -> GraphError:
    return GraphError(
        100,
        f"Unsupported request. Object with ID '{node}' does not exist, cannot be loaded due to missing permissions, or does not support this operation.",
        33,
        topic="object",
        kind="GraphMethodException",
    )


def no_such_field(name: str, kind: str = "") -> GraphError:
    node = f" on node type ({kind})" if kind else ""
    return GraphError(100, f"(#100) Tried accessing nonexisting field ({name}){node}")


def no_such_message() -> GraphError:
    """Also the answer for one that is older than the newest twenty."""
    return GraphError(
        9000001, "This message has been deleted by the user or the business."
    )


def unsupported_method(method: str) -> GraphError:
    return GraphError(100, f"Unsupported request - method type: {method.lower()}")
