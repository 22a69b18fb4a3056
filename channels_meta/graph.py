"""The Graph API over HTTP, nothing else."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter

from channels_meta import pacing
from channels_meta.errors import TRY_LATER, UNCERTAIN, refusal_of
from channels_meta.hosts import META
from channels_meta.models import Credential
from channels_meta.pacing import Lane
from inbox.channels import ErrorClass, Scope, SendError

logger = logging.getLogger(__name__)

# Seconds to connect, and to wait for each part of the answer.
TIMEOUT = (3.05, 15)
# Meta looks at a file before it answers.
UPLOAD_TIMEOUT = (3.05, 40)

_local = threading.local()


def _session() -> requests.Session:
    """One per thread: sessions are not thread-safe. Never reads proxies or .netrc."""
    session: requests.Session | None = getattr(_local, "session", None)
    if session is None:
        session = requests.Session()
        session.trust_env = False
        for scheme in ("https://", "http://"):
            session.mount(
                scheme, HTTPAdapter(pool_connections=8, pool_maxsize=2, max_retries=0)
            )
        _local.session = session
    return session


@dataclass(frozen=True, slots=True)
class Access:
    """Where calls go, as whom, and whose pace they keep.

    version: "" for the edges that have none. proof_secret: "" where no appsecret_proof is
    wanted. channel_id: None while an account is being connected; such calls are not paced.
    """

    base_url: str
    token: str = field(default="", repr=False)
    version: str = ""
    proof_secret: str = field(default="", repr=False)
    channel_id: int | None = None

    @property
    def proof(self) -> dict[str, str]:
        """What graph.facebook.com demands where "Require App Secret" is on."""
        if not (self.proof_secret and self.token):
            return {}
        key, token = self.proof_secret.encode(), self.token.encode()
        return {"appsecret_proof": hmac.new(key, token, hashlib.sha256).hexdigest()}


def access_of(credential: Credential) -> Access:
    is_instagram_host = credential.flavour == Credential.Flavour.INSTAGRAM_LOGIN
    host = META.instagram_graph if is_instagram_host else META.facebook_graph
    return Access(
        base_url=credential.graph_base_url or host,
        token=credential.access_token,
        version=settings.META_GRAPH_VERSION,
        proof_secret="" if is_instagram_host else _app_secret(),
        channel_id=credential.channel_id,
    )


def _app_secret() -> str:
    return settings.META_APP_SECRET[0] if settings.META_APP_SECRET else ""


class GraphClient:
    """Calls the Graph API as one account. Raises SendError for whatever is not a success.

    A call that must not be made twice raises UNCERTAIN where nobody knows whether it was; every
    other failure to get an answer is TRANSIENT or NOT_TAKEN, and may simply be tried again.
    """

    def __init__(self, credential: Credential) -> None:
        self._access = access_of(credential)

    @classmethod
    def for_token(
        cls,
        base_url: str,
        token: str = "",
        *,
        version: str | None = None,
        with_proof: bool = True,
    ) -> GraphClient:
        """For logins, where there is no credential yet.

        base_url: of `hosts.login_hosts()`. token: "" for calls that carry their own secrets.
        version: None for the configured one, "" for edges without. with_proof: not for
        Instagram's hosts, which know none.
        """
        client = cls.__new__(cls)
        client._access = Access(
            base_url=base_url,
            token=token,
            version=settings.META_GRAPH_VERSION if version is None else version,
            proof_secret=_app_secret() if with_proof else "",
        )
        return client

    # --- calls -----------------------------------------------------------------------------------

    def get(self, path: str, **params: str) -> Mapping[str, Any]:
        return self._call("GET", path, params=params, is_repeatable=True)

    def post(
        self,
        path: str,
        payload: Mapping[str, Any] | None = None,
        *,
        params: Mapping[str, str] | None = None,
        lane: Lane = Lane.OTHER,
        is_repeatable: bool = False,
    ) -> Mapping[str, Any]:
        """payload: sent as JSON. is_repeatable: doing it twice does no more than once."""
        return self._call(
            "POST",
            path,
            params=params,
            json=payload,
            lane=lane,
            is_repeatable=is_repeatable,
        )

    def post_form(self, path: str, **fields: str) -> Mapping[str, Any]:
        """A form, as the exchanges of a login want it."""
        return self._call("POST", path, data=fields)

    def delete(self, path: str, **params: str) -> Mapping[str, Any]:
        return self._call("DELETE", path, params=params, is_repeatable=True)

    def upload(
        self,
        path: str,
        fields: Mapping[str, str],
        *,
        file: IO[bytes],
        name: str,
        mime_type: str,
    ) -> Mapping[str, Any]:
        """One file as the part `filedata` of a multipart form."""
        return self._call(
            "POST",
            path,
            data=fields,
            files={"filedata": (name, file, mime_type)},
            is_repeatable=True,
            timeout=UPLOAD_TIMEOUT,
        )

    def items(
        self, path: str, *, limit: int = 1000, **params: str
    ) -> Iterator[Mapping[str, Any]]:
        """The entries of a list, page after page by cursor; the addresses Meta gives for further
        pages are not followed. limit: of entries in all."""
        after: dict[str, str] = {}
        seen = 0
        while True:
            answer = self.get(path, **params, **after)
            data = answer.get("data")
            entries = data if isinstance(data, Sequence) else []
            for entry in entries[: limit - seen]:
                if isinstance(entry, Mapping):
                    yield entry
            seen += len(entries)
            cursor = next_cursor(answer)
            if not (cursor and entries) or seen >= limit:
                return
            after = {"after": cursor}

    def pace(self, lane: Lane) -> None:
        """Before a call of a lane with a limit of its own. Raises THROTTLED about a message."""
        if self._access.channel_id is not None:
            pacing.require_turn(self._access.channel_id, lane)

    # --- one call --------------------------------------------------------------------------------

    def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        lane: Lane = Lane.OTHER,
        is_repeatable: bool = False,
        timeout: tuple[float, float] = TIMEOUT,
        **body: Any,
    ) -> Mapping[str, Any]:
        self.pace(lane)
        access = self._access
        url = "/".join(part for part in (access.base_url, access.version, path) if part)
        headers = {"Authorization": f"Bearer {access.token}"} if access.token else {}
        try:
            response = _session().request(
                method,
                url,
                params={**(params or {}), **access.proof},
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
                **body,
            )
        except requests.exceptions.RequestException as error:
            raise self._no_answer(error, is_repeatable=is_repeatable) from error
        return self._read(
            response, is_repeatable=is_repeatable, is_send=lane in pacing.SENDING
        )

    def _no_answer(
        self, error: requests.exceptions.RequestException, *, is_repeatable: bool
    ) -> SendError:
        never_was, code = _never_connected(error)
        logger.info(
            "graph.no_answer channel=%s reason=%s", self._access.channel_id, code
        )
        if never_was or is_repeatable:
            found = ErrorClass.NOT_TAKEN
            return SendError(found, TRY_LATER, code=code, scope=Scope.CHANNEL)
        return SendError(
            ErrorClass.UNCERTAIN, UNCERTAIN, code=code, scope=Scope.CHANNEL
        )

    def _read(
        self, response: requests.Response, *, is_repeatable: bool, is_send: bool
    ) -> Mapping[str, Any]:
        body = _json(response.text)
        app_usage = _json(response.headers.get("X-App-Usage", ""))
        business_usage = _json(response.headers.get("X-Business-Use-Case-Usage", ""))
        if self._access.channel_id is not None:
            pacing.note_usage(self._access.channel_id, app_usage, business_usage)
        if response.ok and isinstance(body, Mapping) and not _is_error(body):
            return body
        error = refusal_of(
            body,
            response.status_code,
            business_usage,
            is_repeatable=is_repeatable,
            is_send=is_send,
        )
        logger.info(
            "graph.refused channel=%s http=%s code=%s class=%s trace=%s",
            self._access.channel_id,
            response.status_code,
            error.code,
            error.error_class,
            _trace_of(body),
        )
        raise error


def next_cursor(answer: Mapping[str, Any]) -> str:
    """Where a list goes on: for `after`; "" at its end."""
    paging = answer.get("paging")
    if not isinstance(paging, Mapping) or not paging.get("next"):
        return ""
    cursors = paging.get("cursors")
    after = cursors.get("after") if isinstance(cursors, Mapping) else None
    return after if isinstance(after, str) else ""


def is_success(answer: Mapping[str, Any]) -> bool:
    """Meta documents `{"success": true}` once as a boolean, once as a string."""
    return str(answer.get("success", True)).lower() == "true"


def _never_connected(error: requests.exceptions.RequestException) -> tuple[bool, str]:
    """Whether nothing can have arrived; and what happened, for the log."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return True, "connect_timeout"
    if isinstance(error, requests.exceptions.ConnectionError):
        reason = str(error.args[0]) if error.args else ""
        not_opened = "NewConnectionError" in reason or "NameResolutionError" in reason
        if not_opened or isinstance(error, requests.exceptions.SSLError):
            return True, "no_connection"
        return False, "connection_lost"
    return False, "no_answer"


def _is_error(body: Mapping[str, Any]) -> bool:
    return isinstance(body.get("error"), Mapping) or "error_type" in body


def _trace_of(body: Any) -> str:
    error = body.get("error") if isinstance(body, Mapping) else None
    return str(error.get("fbtrace_id", "")) if isinstance(error, Mapping) else ""


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
