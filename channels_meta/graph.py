"""The Graph API over HTTP, nothing else."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter

from channels_meta.errors import (
    TRY_LATER,
    UNCERTAIN,
    MetaError,
    parse_error,
    regain_access_after,
)
from channels_meta.models import Credential
from inbox.channels import ErrorClass, SendError

logger = logging.getLogger(__name__)

FACEBOOK_HOST = "https://graph.facebook.com"
INSTAGRAM_HOST = "https://graph.instagram.com"
# Seconds to connect, and to wait for each part of the answer.
TIMEOUT = (3.05, 15)
# How long a channel waits when Meta asks for it without saying for how long.
DEFAULT_PAUSE = timedelta(minutes=1)
# Percent of a usage header from which we log ahead of Meta's refusal.
BUSY_PERCENT = 80

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


class GraphClient:
    """Calls the Graph API for one account. Raises SendError for whatever is not a success."""

    def __init__(self, credential: Credential) -> None:
        self._credential = credential
        self._is_instagram_host = (
            credential.flavour == Credential.Flavour.INSTAGRAM_LOGIN
        )

    def send_message(self, payload: Mapping[str, Any]) -> str:
        """POST /{node}/messages. Returns Meta's message id."""
        answer = self.post(f"{self._credential.node_id}/messages", payload)
        message_id = answer.get("message_id")
        if not message_id:
            raise SendError(ErrorClass.UNCERTAIN, UNCERTAIN, code="no_message_id")
        return str(message_id)

    def post(self, path: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._call("POST", path, json=payload)

    def get(self, path: str, **params: str) -> Mapping[str, Any]:
        return self._call("GET", path, params=params)

    def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Mapping[str, Any] | None = None,
    ) -> Mapping[str, Any]:
        try:
            response = _session().request(
                method,
                f"{self._base_url}/{settings.META_GRAPH_VERSION}/{path}",
                params={**(params or {}), **self._proof()},
                json=json,
                headers={"Authorization": f"Bearer {self._credential.access_token}"},
                timeout=TIMEOUT,
                allow_redirects=False,
            )
        except requests.exceptions.ConnectTimeout as error:
            raise SendError(
                ErrorClass.NOT_TAKEN, TRY_LATER, code="connect_timeout"
            ) from error
        except requests.exceptions.ConnectionError as error:
            raise _connection_refusal(error) from error
        except requests.exceptions.RequestException as error:
            raise SendError(
                ErrorClass.UNCERTAIN, UNCERTAIN, code="no_answer"
            ) from error
        return self._read(response)

    @property
    def _base_url(self) -> str:
        host = INSTAGRAM_HOST if self._is_instagram_host else FACEBOOK_HOST
        return self._credential.graph_base_url or host

    def _proof(self) -> dict[str, str]:
        """appsecret_proof, which graph.facebook.com demands where "Require App Secret" is on."""
        if self._is_instagram_host or not settings.META_APP_SECRET:
            return {}
        secret = settings.META_APP_SECRET[0].encode()
        token = self._credential.access_token.encode()
        return {"appsecret_proof": hmac.new(secret, token, hashlib.sha256).hexdigest()}

    def _read(self, response: requests.Response) -> Mapping[str, Any]:
        body = _json(response.text)
        usage = _json(response.headers.get("X-Business-Use-Case-Usage", ""))
        self._watch_usage(response.headers.get("X-App-Usage", ""))
        error = parse_error(body)
        if error is None and response.ok and isinstance(body, Mapping):
            return body
        error = error or MetaError(None, None, False, "", "")
        row = error.row(response.status_code)
        logger.info(
            "graph.refused channel=%s http=%s code=%s class=%s trace=%s",
            self._credential.channel_id,
            response.status_code,
            error.label,
            row.error_class,
            error.trace_id,
        )
        retry_after = None
        if row.error_class is ErrorClass.THROTTLED:
            retry_after = regain_access_after(usage) or DEFAULT_PAUSE
        code = error.label or f"http_{response.status_code}"
        raise SendError(
            row.error_class, row.sentence, code=code, retry_after=retry_after
        )

    def _watch_usage(self, header: str) -> None:
        """Log when either host's X-App-Usage (their keys differ) comes near its limit."""
        usage = _json(header)
        if not isinstance(usage, Mapping):
            return
        highest = max(
            (v for v in usage.values() if isinstance(v, int | float)), default=0
        )
        if highest >= BUSY_PERCENT:
            logger.warning(
                "graph.busy channel=%s percent=%s", self._credential.channel_id, highest
            )


def _connection_refusal(error: requests.exceptions.ConnectionError) -> SendError:
    """No connection: certainly not taken. A connection that broke: it may have been."""
    reason = str(error.args[0]) if error.args else ""
    not_opened = "NewConnectionError" in reason or "NameResolutionError" in reason
    if not_opened or isinstance(error, requests.exceptions.SSLError):
        return SendError(ErrorClass.NOT_TAKEN, TRY_LATER, code="no_connection")
    return SendError(ErrorClass.UNCERTAIN, UNCERTAIN, code="connection_lost")


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
