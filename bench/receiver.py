"""A receiver that is never what a measurement waits for: `python -m bench.receiver PORT`.

POST /slow answers after five seconds, /drip in drops that never end, /fail with an error, any other
POST at once; GET tells how many POSTs came.
"""

from __future__ import annotations

import asyncio
import sys

import uvloop

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
FAILURE = b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno"
DRIP = b"HTTP/1.1 500 Oh\r\nContent-Length: 100000\r\n\r\n"
SLOW_SECONDS = 5
_count = 0


class Connection(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._read = b""

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            head = self._read[:end].lower()
            _, _, length = head.partition(b"content-length:")
            whole = end + 4 + int(length.split(b"\r\n", 1)[0] or 0)
            if len(self._read) < whole:
                return
            self._read = self._read[whole:]
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        global _count
        if head.startswith(b"get"):
            told = str(_count).encode()
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(told), told)
            )
            return
        _count += 1
        if head.startswith(b"post /slow"):
            loop = asyncio.get_running_loop()
            loop.call_later(SLOW_SECONDS, self._transport.write, ANSWER)
        elif head.startswith(b"post /fail"):
            self._transport.write(FAILURE)
        elif head.startswith(b"post /drip"):
            self._transport.write(DRIP)
            self._drip()
        else:
            self._transport.write(ANSWER)

    def _drip(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(b".")
            asyncio.get_running_loop().call_later(0.1, self._drip)


async def main(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
