"""Deliveries in a folder of this machine (or in one file).

What belongs here: listing and reading a folder. Not here: what the files mean (:mod:`nh_pipeline.landing`).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from pydantic import TypeAdapter, ValidationError

from nh_pipeline.sources.litter import PARTIAL, is_litter, is_partial
from nh_pipeline.sources.protocol import (
    CHUNK_BYTES,
    PEEK_BYTES,
    Changes,
    SourceFile,
    SourceMissing,
    SourceUnavailable,
    Unusable,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_TELLS = re.compile(r"\w+=")
"""A folder that says what is in it (``dt=2024-08-06``) is part of the names of its files, even if it is the source."""

_CURSOR = TypeAdapter(dict[str, tuple[int, int]])


def _modified(status: os.stat_result) -> datetime:
    return datetime.fromtimestamp(status.st_mtime_ns // 1000 / 1_000_000, tz=timezone.utc)


def _fail(error: OSError) -> NoReturn:
    raise SourceUnavailable(
        f"cannot list {error.filename!r}: {error.strerror}. Expected a readable folder; grant read and search "
        "permission on it and on every folder below it. Nothing was taken as removed."
    ) from error


class FolderSource:
    """A folder, with all its folders below, or a single file.

    Hidden files and folders, what operating systems leave, anything that is not a regular file and links that lead out
    of the folder are not seen; partial downloads are told and left out. Folders behind links are not entered.

    Args:
        path: The folder or file.
        name: Name of the source in manifests. Give each folder its own if there are several.
    """

    authoritative = False  # an inbox: what was delivered counts, whatever becomes of the file

    def __init__(self, path: str | Path, *, name: str = "folder") -> None:
        self.name = name
        self.path = Path(path)
        self._paths: dict[str, Path] = {}

    def changes(self, cursor: str | None = None) -> Changes:
        """What is new or gone; see :meth:`nh_pipeline.sources.protocol.Source.changes`.

        A file counts as changed if its modification time or its size differs from the cursor's, whichever is later:
        a copy with an old date is found too. A cursor that cannot be read counts as none.
        """
        seen: dict[str, tuple[int, int]] = {}
        if cursor is not None:
            try:
                seen = _CURSOR.validate_json(cursor)
            except ValidationError:
                seen = {}
        found: dict[str, tuple[int, int]] = {}
        changed: list[SourceFile] = []
        partial: list[Unusable] = []
        for file_id, name, status in self._scan():
            if is_partial(Path(name).name):
                partial.append(Unusable(file_id=file_id, name=name, reason=PARTIAL))
                continue
            found[file_id] = (status.st_mtime_ns, status.st_size)
            if found[file_id] != seen.get(file_id):
                changed.append(
                    SourceFile(file_id=file_id, name=name, size=status.st_size, modified_at=_modified(status))
                )
        return Changes(
            files=sorted(changed, key=lambda file: (file.name, file.file_id)),
            removed=sorted(seen.keys() - found.keys()),
            cursor=json.dumps(found, sort_keys=True, separators=(",", ":")),
            complete=not seen,
            unusable=partial,
        )

    def find(self, file_ids: Collection[str]) -> list[SourceFile]:
        """The files that are there; see :meth:`nh_pipeline.sources.protocol.Source.find`."""
        return [file for file in self.changes().files if file.file_id in file_ids]

    def peek(self, file: SourceFile, size: int = PEEK_BYTES) -> bytes:
        """The first bytes of a file; see :meth:`nh_pipeline.sources.protocol.Source.peek`."""
        try:
            with self._locate(file).open("rb") as stream:
                return stream.read(size)
        except OSError as error:
            raise self._unreadable(file, error) from error

    def open(self, file: SourceFile) -> BinaryIO:
        """A file as a stream; see :meth:`nh_pipeline.sources.protocol.Source.open`."""
        try:
            return self._locate(file).open("rb")
        except OSError as error:
            raise self._unreadable(file, error) from error

    def download(self, file: SourceFile, out: BinaryIO) -> None:
        """Copies a file in chunks; see :meth:`nh_pipeline.sources.protocol.Source.download`."""
        out.writelines(self._chunks(file))

    def _chunks(self, file: SourceFile) -> Iterator[bytes]:
        try:
            with self._locate(file).open("rb") as stream:
                while chunk := stream.read(CHUNK_BYTES):
                    yield chunk
                status = os.fstat(stream.fileno())
                if (_modified(status), status.st_size) != (file.modified_at, file.size):
                    raise SourceUnavailable(
                        f"{file.name!r} in {str(self.path)!r} is still being written: it is not as it was listed. "
                        "Nothing was kept; land it again when it is complete."
                    )
        except OSError as error:
            raise self._unreadable(file, error) from error

    def _unreadable(self, file: SourceFile, error: OSError) -> SourceUnavailable:
        return SourceUnavailable(
            f"cannot read {file.name!r} in {str(self.path)!r}: {error.strerror}. Grant read permission, or deliver "
            "the file again."
        )

    def _locate(self, file: SourceFile) -> Path:
        # A file that another instance found (a sensor's, in another process) is looked up again.
        if file.file_id not in self._paths:
            for _ in self._scan():
                pass
        if file.file_id not in self._paths:
            raise SourceUnavailable(
                f"{file.name!r} ({file.file_id}) is not in {str(self.path)!r} any more. Deliver it again, or let the "
                "next listing note that it is gone."
            )
        return self._paths[file.file_id]

    def _scan(self) -> Iterator[tuple[str, str, os.stat_result]]:
        root = self.path.resolve()
        try:
            missing = not root.exists()
        except OSError as error:
            _fail(error)
        if missing:
            # A link that leads nowhere was made by somebody who knew where to: what is behind it is away.
            raise (SourceUnavailable if self.path.is_symlink() else SourceMissing)(
                f"no such folder or file: {str(self.path)!r}. Expected the folder that deliveries arrive in; create "
                "it, mount it, or correct the configured path."
            )
        base = root.parent if root.is_file() else root
        while _TELLS.match(base.name):
            base = base.parent
        for path in [root] if root.is_file() else self._walk(root):
            if is_litter(path.name):
                continue
            try:
                target = path.resolve(strict=True)
                status = target.stat()
            except (OSError, RuntimeError):
                continue  # gone since it was listed, or a link to nowhere or to itself
            if not stat.S_ISREG(status.st_mode) or not target.is_relative_to(root):
                continue
            relative = os.fsencode(path.relative_to(base).as_posix())
            file_id = hashlib.blake2b(relative, digest_size=8).hexdigest()
            self._paths[file_id] = path
            # A name that is not UTF-8 reaches the manifest with its odd bytes replaced.
            yield file_id, relative.decode("utf-8", "replace"), status

    def _walk(self, root: Path) -> Iterator[Path]:
        for folder, folders, files in os.walk(root, onerror=_fail):
            folders[:] = sorted(name for name in folders if not is_litter(name))
            yield from (Path(folder, name) for name in sorted(files))
