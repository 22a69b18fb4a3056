"""`python -m webhooks.listen PORT`: prints the events that arrive, once their signature is right.

For building a receiver on one's own machine. The secret is in WEBHOOK_SECRET; several, with blanks
between them, while one is exchanged. Needs nothing of the product: no settings, no database.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from webhooks.signing import is_signed, key_of

MAX_BODY_BYTES = 256 * 1024
# Whoever does not finish a request is left, in seconds.
PATIENCE = 15


class Handler(BaseHTTPRequestHandler):
    """204 for what is verified, 401 for what is not."""

    protocol_version = "HTTP/1.1"
    timeout = PATIENCE
    keys: Sequence[bytes] = ()

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > MAX_BODY_BYTES:
            self._answer(413, f"refused: a body of {length or 'unknown'} bytes")
            return
        body = self.rfile.read(int(length))
        given = {name.lower(): value for name, value in self.headers.items()}
        if is_signed(body, given, keys=self.keys, at=time.time()):
            self._answer(204, _readable(body))
        else:
            self._answer(401, "refused: the signature is not of this secret")

    def _answer(self, status: int, line: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        if status == 413:
            self.close_connection = True
        self.end_headers()
        _say(line)

    def log_message(self, *_: object) -> None:
        """The events are the log."""


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _readable(body: bytes) -> str:
    try:
        return json.dumps(json.loads(body), ensure_ascii=False, indent=2)
    except ValueError:
        return repr(body)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m webhooks.listen")
    parser.add_argument("port", type=int)
    arguments = parser.parse_args()
    try:
        keys = [key_of(secret) for secret in os.environ["WEBHOOK_SECRET"].split()]
    except (KeyError, ValueError):
        sys.exit("Put the endpoint's secret (whsec_...) into WEBHOOK_SECRET.")
    handler = type("KeyedHandler", (Handler,), {"keys": keys})
    with ThreadingHTTPServer(("127.0.0.1", arguments.port), handler) as server:
        _say(f"Listening at http://127.0.0.1:{server.server_port}/")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            _say("")


if __name__ == "__main__":
    main()
