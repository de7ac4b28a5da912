"""Bytes that are counted and digested while they are written.

What belongs here: the stream. Not here: what is compared with the digests (:mod:`nh_pipeline.landing.zone`).
"""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import BinaryIO


class Digesting(io.RawIOBase):
    """Passes bytes on to a stream, or to none, counting and digesting them.

    Attributes:
        size: Bytes so far.
        md5: Their digest, as sources publish it.
        sha256: The same, for evidence.
    """

    def __init__(self, out: BinaryIO | None) -> None:
        self._out = out
        self.size = 0
        self.md5 = hashlib.md5(usedforsecurity=False)  # what sources publish; sha256 is the evidence
        self.sha256 = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, content: bytes) -> int:  # type: ignore[override]  # any buffer, as the callers pass it
        if self._out is not None:
            self._out.write(content)
        self.md5.update(content)
        self.sha256.update(content)
        self.size += len(content)
        return len(content)
