"""Files in an S3-like store, where MEDIA_STORAGE names one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from storages.backends.s3 import S3Storage

CONNECT_SECONDS = 5
READ_SECONDS = 20
ATTEMPTS = 2
_MISSING = frozenset({"404", "NoSuchKey", "NotFound"})


class BucketStorage(S3Storage):  # type: ignore[misc]  # it has no types
    """Private objects; failures are OSErrors, as of any other storage.

    Its files are served through our own process like local ones, not by redirects to signed
    addresses of the store: each request asks for permission again, no address outlives a
    sign-out or an unsend, the policy of our pages stays at our own origin, and a platform that
    fetches what agents send meets no redirect.
    """

    def __init__(self, **options: Any) -> None:
        given = {
            # A store that is away is told to whoever waits, soon.
            "client_config": Config(
                connect_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
                retries={"total_max_attempts": ATTEMPTS},
                s3={"addressing_style": options.get("addressing_style")},
                signature_version="s3v4",
            ),
            # Names are never used twice: nothing has to be asked before writing.
            "file_overwrite": True,
            "default_acl": None,
        }
        super().__init__(**given, **options)

    def open_range(self, name: str, start: int, length: int) -> IO[bytes]:
        """A stretch of a file, read as it is asked for; the rest stays where it is."""
        last = start + length - 1
        with _os_errors():
            stored = self.bucket.Object(self._normalize_name(name))
            answer = stored.get(Range=f"bytes={start}-{last}")
        body: IO[bytes] = answer["Body"]
        return body

    def _save(self, name: str, content: Any) -> str:
        with _os_errors():
            saved: str = super()._save(name, content)
            return saved

    def size(self, name: str) -> int:
        with _os_errors():
            found: int = super().size(name)
            return found

    def delete(self, name: str) -> None:
        with _os_errors():
            super().delete(name)

    def listdir(self, name: str) -> tuple[list[str], list[str]]:
        with _os_errors():
            folders, files = super().listdir(name)
            return folders, files


@contextmanager
def _os_errors() -> Iterator[None]:
    """Raises FileNotFoundError for what is not there, OSError for a store that is away."""
    try:
        yield
    except ClientError as error:
        if str(error.response.get("Error", {}).get("Code")) in _MISSING:
            raise FileNotFoundError from error
        raise OSError(type(error).__name__) from error
    except BotoCoreError as error:
        raise OSError(type(error).__name__) from error
