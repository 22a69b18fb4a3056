"""`Idempotency-Key`: the same POST twice does it once, and is answered the same.

The answer is stored in the transaction of its effect: there is one exactly if there is the other.
A refusal has no effect and stores nothing, so that the same key may come again with better luck.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Any, TypeVar

from django.db import connection, transaction
from django.http import HttpResponse
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from inbox.api.authentication import holder_of
from inbox.errors import InboxError, KeyReused
from inbox.events import Forgotten
from inbox.models import ChannelIdentity, IdempotentAnswer

MAX_KEY_CHARACTERS = 255
REPLAYED = "Idempotent-Replayed"
# Names of values in answers that say what the answer tells of.
_ID_NAMES = frozenset({"id", "conversation_id", "contact_id"})


class StillRunning(InboxError):
    """The first request with this key has not been answered yet."""

    code = "idempotency_key_in_use"
    status = 409


class AnswerErased(InboxError):
    """It was done, and what it told of has been erased since."""

    code = "erased"
    status = 410


Post = TypeVar("Post", bound=Callable[..., Any])


def idempotent(post: Post) -> Post:
    """A POST that runs once for each Idempotency-Key, where one is given.

    Raises KeyReused for another request with the same key, StillRunning while the first is
    under way, AnswerErased for an answer that may not be told again.
    """

    @wraps(post)
    def run_once(view: Any, request: Request, *args: Any, **kwargs: Any) -> Any:
        key = given_key(request)
        if not key:
            return post(view, request, *args, **kwargs)
        with transaction.atomic():
            _take_turn(request, key)
            if stored := _stored(request, key):
                return _replay(stored)
            answer = post(view, request, *args, **kwargs)
            _store(request, key, answer)
        return answer

    run_once.is_idempotent = True  # type: ignore[attr-defined]  # the document tells it
    return run_once  # type: ignore[return-value]  # the same signature


def given_key(request: Request) -> str:
    """The header's value, "" for none. Raises ValidationError for one that is too long."""
    key: str = request.headers.get("Idempotency-Key", "")
    if len(key) > MAX_KEY_CHARACTERS or "\x00" in key:
        raise ValidationError(
            {"Idempotency-Key": f"At most {MAX_KEY_CHARACTERS} characters."}
        )
    return key


def client_key(request: Request) -> str:
    """The same for a message's own key: below the stored answer, and for longer than it is kept,
    the message itself is there only once."""
    given = given_key(request)
    if not given:
        return ""
    digest = hashlib.sha256(given.encode()).hexdigest()
    return f"api-{holder_of(request).key.pk}-{digest}"


# --- one at a time -------------------------------------------------------------------------------


def _take_turn(request: Request, key: str) -> None:
    """Until the transaction ends, however it ends. Raises StillRunning."""
    name = f"idempotency {holder_of(request).key.pk} {key}".encode()
    number = int.from_bytes(hashlib.sha256(name).digest()[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_xact_lock(%s)", [number])
        (is_ours,) = cursor.fetchone()
    if not is_ours:
        raise StillRunning(
            "The first request with this key is still under way. Ask again in a moment."
        )


def _stored(request: Request, key: str) -> IdempotentAnswer | None:
    """Raises KeyReused if it was the answer to something else."""
    stored = IdempotentAnswer.objects.filter(
        api_key=holder_of(request).key, key=key
    ).first()
    if stored and stored.request_hash != _hash(request):
        raise KeyReused("This key came with another request before. Use a new one.")
    return stored


def _hash(request: Request) -> str:
    """Of what was asked: method, address, body. JSON by what it says, not by how it is spaced."""
    asked = hashlib.sha256(f"{request.method} {request.get_full_path()}\n".encode())
    for name, file in sorted(request.FILES.items()):
        asked.update(f"{name} {file.name} {file.size}\n".encode())
        for chunk in file.chunks():
            asked.update(chunk)
        file.seek(0)
    asked.update(JSONRenderer().render(_sorted(request.data)))
    return asked.hexdigest()


def _sorted(data: Any) -> Any:
    if isinstance(data, dict):
        return {
            str(name): _sorted(data[name])
            for name in sorted(data, key=str)
            if not hasattr(data[name], "chunks")  # files are counted by their bytes
        }
    return [_sorted(one) for one in data] if isinstance(data, list) else data


# --- the answer ----------------------------------------------------------------------------------


def _store(request: Request, key: str, answer: Response) -> None:
    body = JSONRenderer().render(answer.data) if answer.data is not None else b""
    IdempotentAnswer.objects.create(
        api_key=holder_of(request).key,
        key=key,
        request_hash=_hash(request),
        status=answer.status_code,
        body=body.decode(),
        subjects=sorted(set(_ids_in(answer.data))),
    )


def _ids_in(data: Any) -> Iterator[str]:
    if isinstance(data, dict):
        for name, value in data.items():
            if name in _ID_NAMES and isinstance(value, str):
                yield value
            yield from _ids_in(value)
    elif isinstance(data, list):
        for one in data:
            yield from _ids_in(one)


def _replay(stored: IdempotentAnswer) -> HttpResponse:
    if stored.is_erased:
        raise AnswerErased("It was done; what it told of has been erased since.")
    answer = HttpResponse(
        stored.body, status=stored.status, content_type="application/json"
    )
    answer[REPLAYED] = "true"
    return answer


# --- forgetting ----------------------------------------------------------------------------------


def erase(sender: object, message_ids: Sequence[int], **_: object) -> None:
    """Listens to inbox.events: no answer tells again what a message said."""
    _erase_answers([f"MSG_{pk}" for pk in message_ids])


def forget_person(person: Forgotten, cursor: str) -> str | None:
    """A keeper of inbox.events, in one step: answers are kept for a day."""
    identities = ChannelIdentity.objects.filter(
        pk__in=[pk for pk, *_ in person.identities]
    ).select_related("channel")
    _erase_answers(
        [
            *(f"USER_{pk}" for pk in person.contact_ids),
            *(str(pk) for pk in person.conversation_ids),
            *(identity.public_id for identity in identities),
        ]
    )
    return None


def _erase_answers(subjects: list[str]) -> None:
    IdempotentAnswer.objects.filter(subjects__overlap=subjects).update(
        body="", is_erased=True
    )
