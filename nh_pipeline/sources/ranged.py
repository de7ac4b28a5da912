"""A stream over a file far away, of which only what is read is fetched."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Ranged(io.RawIOBase):
    """A seekable stream.

    Args:
        fetch: Gives the bytes of a range: its start and its length.
        size: Bytes of the file.
    """

    def __init__(self, fetch: Callable[[int, int], bytes], size: int) -> None:
        self._fetch, self._size, self._at = fetch, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # narrower than Buffer, as BufferedReader calls it
        wanted = min(len(buffer), self._size - self._at)
        content = self._fetch(self._at, wanted) if wanted > 0 else b""
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)
