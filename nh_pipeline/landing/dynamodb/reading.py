"""The lines of a delivery of items, one by one: what they put, what they delete, what is refused.

What belongs here: lines. Not here: the values of an item (:mod:`nh_pipeline.landing.dynamodb.values`), and what an
archive as a whole must be (:mod:`nh_pipeline.landing.dynamodb.layout`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import msgspec

from nh_pipeline.datasets.treatments.attributes import ATTRIBUTES, MODIFIED_AT, TREATMENT_ID
from nh_pipeline.landing import archive
from nh_pipeline.landing.dynamodb.layout import Layout, Told, counted
from nh_pipeline.landing.dynamodb.values import Read, Unfit, read, treatment_id
from nh_pipeline.landing.json_files import CUT_OFF, opened
from nh_pipeline.landing.refused import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader

LONGEST_LINE = 32 * 1024**2
"""Bytes of a line at most. An item has 400 KB at most, by DynamoDB's own count."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_ABSENT = msgspec.Raw()
_NO_IMAGE = (b"", b"null")
_BOM = b"\xef\xbb\xbf"
_NOTHING = (None,) * (len(ATTRIBUTES) - 1)
_TREATMENT_ID, _MODIFIED_AT = ATTRIBUTES.index(TREATMENT_ID), ATTRIBUTES.index(MODIFIED_AT)
_CORRECT = "Correct the item at its source: its next extraction holds."
_AS_WRITTEN = "Export the table again, in DynamoDB's JSON, an item in a line."


class _Line(msgspec.Struct):
    """A line: ``Item`` of a whole export; of a window ``NewImage``, or ``Keys`` alone of what was deleted."""

    Item: msgspec.Raw = _ABSENT
    NewImage: msgspec.Raw = _ABSENT
    Keys: msgspec.Raw = _ABSENT
    Metadata: dict[str, Any] | None = None

    @property
    def write_time(self) -> datetime | None:
        """When DynamoDB wrote it, if it says so."""
        said = (self.Metadata or {}).get("WriteTimestampMicros")
        try:
            return _EPOCH + timedelta(microseconds=int(said["N"])) if said else None
        except (KeyError, TypeError, ValueError, OverflowError):
            raise Unfit("Metadata.WriteTimestampMicros", "microseconds since 1970", "something else") from None


_LINE = msgspec.json.Decoder(_Line)
_ITEM = msgspec.json.Decoder(dict[str, Any])


class Item(msgspec.Struct, frozen=True, gc=False):
    """What a line says of a treatment.

    Attributes:
        member: file in the archive; empty if it is none.
        line: of it, from 1.
        op: whether it is there, or was deleted.
        read: its values; of a deletion the treatment alone.
        content: the item as delivered, of a deletion its key.
        write_time: when DynamoDB wrote it, if it says so.
    """

    member: str
    line: int
    op: Literal["put", "delete"]
    read: Read
    content: bytes
    write_time: datetime | None

    @property
    def treatment_id(self) -> str | None:
        """Which treatment it is of."""
        return self.read.values[_TREATMENT_ID]

    @property
    def modified_at(self) -> str | None:
        """When it was changed last, in UTC."""
        return self.read.values[_MODIFIED_AT]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that is not taken, and why: never what it holds.

    Attributes:
        member, line: as of :class:`Item`.
        stage: ``parse`` if it is no item, ``value`` if a value is not what it must be.
        treatment_id: of the item, if that can be read: what was refused was there all the same.
        path, expected, found: what it is about.
        what_to_do: how whoever delivered it can put it right.
        is_cut_off: whether it is the last line, and ends before it is complete.
    """

    member: str
    line: int
    stage: Literal["parse", "value"]
    treatment_id: int | None
    path: str | None
    expected: str
    found: str
    what_to_do: str
    is_cut_off: bool = False


class Reading:
    """Reads one delivery.

    Args:
        stream: Of it; seekable, it stays open.
        name: Of it, for messages.
        modified_at: Modified time at its source: of a file without an archive, nobody says when it was extracted.
        limited: Whether it may only unpack to so much.

    Attributes:
        told: what it says of itself.
        size: bytes read so far, unpacked.

    Raises:
        Refused: It is damaged, or not complete.
    """

    def __init__(self, stream: BinaryIO, name: str, modified_at: datetime, *, limited: bool = True) -> None:
        self._stream, self._name, self._limited = stream, name, limited
        self.size = 0
        stream.seek(0)
        self.layout = Layout(stream, name, limited=limited) if archive.kind(stream.read(4)) == "zip" else None
        alone = Told("file", "", is_full=False, from_at=None, started_at=modified_at, overlap_seconds=0)
        self.told = self.layout.told if self.layout else alone

    def __iter__(self) -> Iterator[Item | Rejected]:
        """All lines.

        Raises:
            Refused: A file of it is damaged, or has not as many items as its list says.
        """
        if self.layout is None:
            with opened(self._stream, self._name, limited=self._limited) as file:
                yield from self._lines("", file)
            return
        for listed, member, file in self.layout.open():
            lines = 0
            for found in self._lines(member, file):
                yield found
                lines += 1
            counted(self._name, listed, member, lines)

    def _lines(self, member: str, file: BufferedReader) -> Iterator[Item | Rejected]:
        number = 0
        while content := file.readline(LONGEST_LINE):
            if len(content) == LONGEST_LINE:
                raise _too_long(self._name)
            number += 1
            self.size += len(content)
            line = content.removeprefix(_BOM) if number == 1 else content
            if not line.isspace():
                yield self._line((member, number), line)

    def _line(self, at: tuple[str, int], content: bytes) -> Item | Rejected:
        item = dict[str, Any]()
        try:
            return _item(at, content, item, is_window=not self.told.is_full)
        except Unfit as no:
            known = treatment_id(item)
            return Rejected(*at, "value", int(known) if known else None, no.path, no.expected, no.found, _CORRECT)
        except (msgspec.MsgspecError, RecursionError) as error:
            # What msgspec says of a value may hold it.
            said = str(error) if type(error) is msgspec.DecodeError else "another document"
            is_cut_off = said == CUT_OFF and not content.endswith(b"\n")
            expected = "an item of DynamoDB, in JSON"
            return Rejected(*at, "parse", None, None, expected, said, _AS_WRITTEN, is_cut_off=is_cut_off)


def _item(at: tuple[str, int], content: bytes, item: dict[str, Any], *, is_window: bool) -> Item:
    """Reads a line; ``item`` gets what it holds, also if that is refused."""
    line = _LINE.decode(content)
    image = bytes(line.Item) or bytes(line.NewImage)
    is_put = image not in _NO_IMAGE
    raw = image if is_put else bytes(line.Keys)
    item.update(_ITEM.decode(raw))
    if not is_put:
        return Item(*at, "delete", _only(treatment_id(item)), raw, line.write_time)
    found = read(item)
    if is_window and found.values[_MODIFIED_AT] is None:
        raise Unfit(MODIFIED_AT.paths[0], "when a window's item was changed", "nothing")
    return Item(*at, "put", found, raw, line.write_time)


def _only(known: str | None) -> Read:
    if known is None:
        raise Unfit(TREATMENT_ID.paths[0], "the key of a treatment", "none")
    return Read((known, *_NOTHING))


def _too_long(name: str) -> Refused:
    return Refused(
        f"{name}: too long a line",
        expected=f"at most {LONGEST_LINE:,} bytes in a line",
        found="more",
        what_to_do=_AS_WRITTEN,
    )
