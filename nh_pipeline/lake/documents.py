"""Small JSON documents of the lake, read by a process once while they stay the same: sensors look every minute.

What belongs here: what has been read, and whether it is still what is there. Not here: what the documents say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from nh_pipeline.errors import LakeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from nh_pipeline.lake.storage import Storage

Document = TypeVar("Document")


def parsed(storage: Storage, path: str, content: bytes, parse: Callable[[bytes], Document]) -> Document:
    """What a document says.

    Raises:
        LakeError: it is damaged.
    """
    try:
        return parse(content)
    except ValueError as error:  # of JSON, of UTF-8, of pydantic
        raise LakeError(
            f"{storage.uri(path)} is damaged, or of a newer version: {str(error).splitlines()[0]}. Restore it from a "
            "backup; or move the folder that it is in out of the lake, and land its file again if it was a delivery"
        ) from error


class DocumentReader(Generic[Document]):
    """Reads documents of one kind, in any lake; content of which ``parse`` makes None counts as no document."""

    def __init__(self, parse: Callable[[bytes], Document | None]) -> None:
        self._parse = parse
        self._read: dict[tuple[str, str], tuple[tuple[int, int], Document]] = {}

    def below(self, storage: Storage, folder: str, *, suffix: str) -> dict[str, Document]:
        """The documents below a folder, by path, sorted; only what is new or has changed is read.

        Raises:
            LakeError: see :func:`parsed`.
        """
        stamps = storage.stamps(folder, suffix=suffix)
        held = {path: self._read.get((storage.root, path)) for path in stamps}
        new = [path for path, stamp in stamps.items() if (h := held[path]) is None or h[0] != stamp]
        for path, content in zip(new, storage.read_all(new), strict=True):
            document = parsed(storage, path, content, self._parse)
            held[path] = None if document is None else (stamps[path], document)
        known = {path: h for path, h in held.items() if h is not None}
        self._read |= {(storage.root, path): h for path, h in known.items()}
        return {path: document for path, (_, document) in known.items()}
