"""The layout of an export from DynamoDB to S3: a summary, a list of data files, and the files.

A delivery is one zip archive of such a folder, whatever made it. What we extract ourselves says so by one more key of
the summary, ``nh``. `Documentation of the layout
<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html>`_.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, BinaryIO, Literal, TypeVar

import msgspec

from nh_pipeline.landing import archive, unpacking
from nh_pipeline.landing.json_files import START_BYTES, member
from nh_pipeline.landing.refused import Refused
from nh_pipeline.sources.protocol import CHUNK_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader

    from nh_pipeline.landing.unpacking import Part

T = TypeVar("T", bound=msgspec.Struct)

OVERLAP_SECONDS = 600
"""By so much clocks are taken to differ, where an export does not say."""

MOST_BYTES = 16 * 1024**2
"""Bytes of a summary, or of a list of files, at most."""

_FIRST = re.compile(rb'\s*\{\s*"(?:Item|Keys|NewImage|OldImage|Metadata)"\s*:\s*\{')
_JSON = re.compile(r"\.json(\.gz)?$", re.IGNORECASE)
_BOM = b"\xef\xbb\xbf"


class Own(msgspec.Struct):
    """What is said of an extraction that we have made."""

    table: str
    started_at: datetime
    mode: Literal["scan", "query"] = "scan"
    from_at: datetime | None = msgspec.field(name="from", default=None)
    overlap_seconds: int = OVERLAP_SECONDS


class Summary(msgspec.Struct, rename="camel"):
    """``manifest-summary.json``, as far as it is needed."""

    manifest_files_s3_key: str = msgspec.field(name="manifestFilesS3Key")
    item_count: int
    output_format: str = "DYNAMODB_JSON"
    table_arn: str | None = None
    export_type: str | None = None
    export_time: datetime | None = None
    export_from_time: datetime | None = None
    export_to_time: datetime | None = None
    nh: Own | None = None


class DataFile(msgspec.Struct, rename="camel"):
    """A line of ``manifest-files.json``."""

    data_file_s3_key: str = msgspec.field(name="dataFileS3Key")
    item_count: int
    md5_checksum: str


@dataclass(frozen=True)
class Told:
    """What a delivery says of itself.

    Attributes:
        mode: how it was extracted.
        table_name: of the table in DynamoDB; empty if nobody says.
        is_full: whether it has all that the table held.
        from_at: of a window, the first instant of it.
        started_at: when the extraction began, or to when DynamoDB exported.
        overlap_seconds: so much clocks may differ.
    """

    mode: Literal["scan", "query", "export", "file"]
    table_name: str
    is_full: bool
    from_at: datetime | None
    started_at: datetime
    overlap_seconds: int


def kind(start: bytes) -> Literal["summary", "files", "items", "other"]:
    """What a file is, by its beginning, unpacked."""
    start = start.removeprefix(_BOM)
    if _FIRST.match(start):
        return "items"
    if b'"manifestFilesS3Key"' in start:
        return "summary"
    return "files" if b'"dataFileS3Key"' in start else "other"


def is_items(start: bytes) -> bool:
    """Whether a file is of items, by its first bytes, plain or gzipped; an archive is none by itself."""
    try:
        if archive.kind(start) != "zip":
            return kind(archive.start_of_csv(start, "", size=START_BYTES)) == "items"
    except Refused:
        pass  # damaged, or an archive in gzip: nothing that can be told
    return False


def is_items_archive(stream: BinaryIO) -> bool:
    """Whether a delivery is a zip archive of an export: with a summary in it, or items, in files named as JSON."""
    stream.seek(0)
    if archive.kind(stream.read(4)) != "zip":
        return False
    try:
        parts = (part for part in unpacking.parts(stream, "") if _JSON.search(part.info.filename) and not part.litter)
        return any(_kind(part) in ("summary", "items") for part in parts)
    except Refused:
        return False


class Layout:
    """An archive in this layout, taken apart.

    Attributes:
        summary: what it says of itself.
        told: the same, as we see it.
        files: the data files, in the order of their list, and what it says of each.

    Raises:
        Refused: It is damaged, or a part of it is missing.
    """

    def __init__(self, stream: BinaryIO, name: str, *, limited: bool = True) -> None:
        self._name, self._limited = name, limited
        parts = [part for part in unpacking.parts(stream, name, limited=limited) if not part.litter]
        kinds = [(part, _kind(part)) for part in parts]
        self.summary = _decoded(self._content(kinds, "summary"), Summary, name)
        is_empty = not self.summary.item_count and all(of != "files" for _, of in kinds)
        lines = [] if is_empty else self._content(kinds, "files").splitlines()
        self.files = [_decoded(line, DataFile, name) for line in lines if line.strip()]
        self._parts = {_base(part.info.filename): part for part, of in kinds if of in ("items", "other")}
        self.told = _told(self.summary, name)
        self._check([part for part, of in kinds if of == "items"])

    def _content(self, kinds: list[tuple[Part, str]], of: str) -> bytes:
        found = [part for part, is_kind in kinds if is_kind == of]
        if len(found) != 1:
            told = {"summary": "manifest-summary.json", "files": "manifest-files.json"}[of]
            raise _incomplete(self._name, f"one {told}", f"{len(found)}")
        with member(found[0], self._name, limited=self._limited) as file:
            return file.read(MOST_BYTES)

    def _check(self, items: list[Part]) -> None:
        """Refuses an archive whose data files are not those of its list."""
        named = [_base(file.data_file_s3_key) for file in self.files]
        missing = [name for name in named if name not in self._parts]
        if missing:
            raise _incomplete(self._name, f"{len(named):,} data files", f"{len(missing):,} are missing: {missing[0]}")
        unnamed = sorted({_base(part.info.filename) for part in items} - set(named))
        if unnamed or len(set(named)) < len(named):
            raise _incomplete(self._name, "data files that its list names once", ", ".join(unnamed) or "one twice")
        counted = sum(file.item_count for file in self.files)
        if counted != self.summary.item_count:
            raise _incomplete(
                self._name, f"{self.summary.item_count:,} items by its summary", f"{counted:,} by its list"
            )

    def verify(self) -> None:
        """Compares the digest of each data file with what the list says.

        Raises:
            Refused: They differ: the upload or the copy is not complete.
        """
        for file, part in self._each():
            digest = hashlib.md5(usedforsecurity=False)
            with archive.damage_refused(self._name), part.within.open(part.info) as content:
                while block := content.read(CHUNK_BYTES):
                    digest.update(block)
            found = base64.b64encode(digest.digest()).decode()
            if found != file.md5_checksum:
                raise _incomplete(self._name, f"md5 {file.md5_checksum} of {_base(file.data_file_s3_key)}", found)

    def open(self) -> Iterator[tuple[DataFile, str, BufferedReader]]:
        """Each data file, unpacked, with its base name."""
        for file, part in self._each():
            part.check(self._name, limited=self._limited)
            with member(part, f"{self._name}/{part.path}", limited=self._limited) as opened:
                yield file, _base(file.data_file_s3_key), opened

    def _each(self) -> Iterator[tuple[DataFile, Part]]:
        return ((file, self._parts[_base(file.data_file_s3_key)]) for file in self.files)


def counted(name: str, file: DataFile, member: str, found: int) -> None:
    """Compares the lines of a data file with what the list says.

    Raises:
        Refused: They differ.
    """
    if found != file.item_count:
        raise _incomplete(name, f"{file.item_count:,} items in {member}", f"{found:,}")


def _told(summary: Summary, name: str) -> Told:
    if summary.output_format != "DYNAMODB_JSON":
        raise Refused(
            f"{name}: an export that is not in JSON",
            expected="DYNAMODB_JSON",
            found=summary.output_format[:20],
            what_to_do="Export the table again, in DynamoDB's JSON.",
        )
    own = summary.nh
    if own:
        started = _utc(own.started_at)
        return Told(own.mode, own.table, own.mode == "scan" and own.from_at is None, own.from_at and _utc(own.from_at),
                    started, own.overlap_seconds)  # fmt: skip
    table = re.search(r":table/([^/]+)", summary.table_arn or "")
    is_window = summary.export_type == "INCREMENTAL_EXPORT"
    at = summary.export_to_time if is_window else summary.export_time
    if at is None:
        raise _incomplete(name, "exportToTime" if is_window else "exportTime", "none")
    begins = summary.export_from_time if is_window else None
    table_name = table[1] if table else ""
    return Told("export", table_name, not is_window, begins and _utc(begins), _utc(at), OVERLAP_SECONDS)


def _kind(part: Part) -> str:
    if part.refused:
        return "other"
    try:
        with member(part, part.path) as file:
            return kind(file.peek(START_BYTES)[:START_BYTES])
    except Refused:
        return "other"


def _decoded(content: bytes, of: type[T], name: str) -> T:
    try:
        return msgspec.json.decode(content.removeprefix(_BOM), type=of)
    except msgspec.MsgspecError as error:
        raise _incomplete(name, f"a manifest of an export ({of.__name__})", str(error)) from error


def _base(path: str) -> str:
    return path.rpartition("/")[2]


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=timezone.utc) if at.tzinfo is None else at.astimezone(timezone.utc)


def _incomplete(name: str, expected: str, found: str) -> Refused:
    return Refused(
        f"{name}: an export that is not complete",
        expected=expected,
        found=found,
        what_to_do="Deliver the whole folder of the export again, as one zip archive.",
    )
