"""Files of the lake outside of Iceberg tables: raw deliveries, state, staged output.

One thin class over ``pyarrow.fs``, so that a folder and an S3 prefix are used alike. Nothing here knows what
the files mean; that is :mod:`nh_pipeline.landing` and :mod:`nh_pipeline.lake`.
"""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.fs as pafs

from nh_pipeline.lake import s3

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    import pyarrow as pa

_LOCAL = pafs.LocalFileSystem()

_AT_ONCE = 16
"""Requests at once to an object store."""


@dataclass(frozen=True)
class Storage:
    """A folder (path or ``file://``) or an object-store prefix (``s3://bucket/prefix``).

    All paths given to its methods are relative to ``root`` and use ``/``.

    Attributes:
        local: whether this is a folder of this machine.
        base: the root, as ``pyarrow.fs`` takes it.
    """

    root: str
    local: bool = field(init=False, repr=False, compare=False)
    base: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        root = self.root.rstrip("/") if "://" in self.root else str(Path(self.root).resolve())
        local = not root.startswith(s3.SCHEME)
        base = pafs.FileSystem.from_uri(root)[1] if local else root.removeprefix(s3.SCHEME)
        if not local:
            s3.require(*base.partition("/")[::2])
        object.__setattr__(self, "root", root)
        object.__setattr__(self, "local", local)
        object.__setattr__(self, "base", base.rstrip("/"))

    @property
    def fs(self) -> pafs.FileSystem:
        """Arrow's file system, as of now."""
        return _LOCAL if self.local else s3.filesystem()

    def path(self, relative: str) -> str:
        """The path as ``pyarrow.fs`` takes it."""
        return f"{self.base}/{relative}" if relative else self.base

    def uri(self, relative: str) -> str:
        """The address as engines and PyIceberg take it."""
        return f"{self.root.rstrip('/')}/{relative}"

    def exists(self, relative: str) -> bool:
        """Whether a file or folder is there."""
        return bool(self.fs.get_file_info(self.path(relative)).type != pafs.FileType.NotFound)

    def sizes(self, relatives: Sequence[str]) -> list[int | None]:
        """Bytes of each of these files; None of what is not there."""
        return [info.size for info in self.fs.get_file_info([self.path(relative) for relative in relatives])]

    def files(self, relative: str = "", *, suffix: str = "", before: datetime | None = None) -> Iterator[str]:
        """Relative paths of all files below a folder that were modified ``before``, sorted; none if it is not there."""
        found = self._below(relative, suffix)
        yield from (path for path, info in found.items() if before is None or info.mtime < before)

    def stamps(self, relative: str, *, suffix: str = "") -> dict[str, tuple[int, int]]:
        """Modification time (ns) and size of all files below a folder, by relative path: whether one has changed."""
        return {path: (info.mtime_ns or 0, info.size) for path, info in self._below(relative, suffix).items()}

    def _below(self, relative: str, suffix: str) -> dict[str, pafs.FileInfo]:
        selector = pafs.FileSelector(self.path(relative), recursive=True, allow_not_found=True)
        files = (info for info in self.fs.get_file_info(selector) if info.type == pafs.FileType.File)
        found = {info.path[len(self.base) + 1 :]: info for info in files}
        return {path: found[path] for path in sorted(found) if path.endswith(suffix)}

    def open(self, relative: str) -> pa.NativeFile:
        """A seekable stream of a file's bytes."""
        return self.fs.open_input_file(self.path(relative))

    def read(self, relative: str) -> bytes:
        """A small file, whole."""
        with self.fs.open_input_stream(self.path(relative), compression=None) as stream:
            return bytes(stream.read())

    def read_all(self, relatives: Iterable[str]) -> Iterator[bytes]:
        """Small files, whole, in the order given; many at once where each costs a round trip."""
        if self.local:
            yield from map(self.read, relatives)
            return
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            yield from pool.map(self.read, relatives)

    def create(self, relative: str) -> pa.NativeFile:
        """A stream to write a new file to; parent folders are made."""
        if self.local:
            self.fs.create_dir(self.path(relative).rpartition("/")[0], recursive=True)
        # pyarrow would compress whatever is written to a name that ends in .gz.
        return self.fs.open_output_stream(self.path(relative), compression=None)

    def write(self, relative: str, content: bytes) -> None:
        """Writes a small file so that a reader sees all of it or nothing."""
        if not self.local:  # an object is there as a whole or not at all
            with self.create(relative) as stream:
                stream.write(content)
            return
        partial = f"{relative}.{uuid.uuid4().hex}.partial"  # two processes may write one file
        try:
            with self.create(partial) as stream:
                stream.write(content)
            self.move(partial, relative)
        except OSError:
            self.delete(partial)
            raise

    def write_json(self, relative: str, content: Mapping[str, Any]) -> None:
        """Writes a small JSON file, all or nothing."""
        self.write(relative, json.dumps(content, indent=1, sort_keys=True).encode())

    def replace_end(self, relative: str, start: int, end: bytes) -> None:
        """Replaces all that a file holds from a position on.

        Not all or nothing on a local disk: only for files that nobody reads yet.
        """
        if self.local:
            with Path(self.path(relative)).open("r+b") as file:
                file.seek(start)
                file.write(end)
                file.truncate()
            return
        self.write(relative, self.read(relative)[:start] + end)  # objects cannot be changed in part

    def move(self, source: str, target: str) -> None:
        """Moves a file (atomic on a local disk; copy and delete on an object store)."""
        if self.local:
            self.fs.create_dir(self.path(target).rpartition("/")[0], recursive=True)
        self.fs.move(self.path(source), self.path(target))

    def delete(self, relative: str) -> None:
        """Deletes a file or a folder with all that it holds; nothing if it is not there."""
        kind = self.fs.get_file_info(self.path(relative)).type
        if kind == pafs.FileType.Directory:
            self.fs.delete_dir(self.path(relative))
        elif kind == pafs.FileType.File:
            self.fs.delete_file(self.path(relative))
