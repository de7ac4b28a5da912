"""The members of a zip archive, and which of them is the CSV: one rule for landing and for the first bytes alone.

What belongs here: the rule, and finding the members without the archive's directory, which is at its end. Not here:
reading a member (:mod:`nh_pipeline.landing.archive`).

The CSV is the one member whose name ends in ``.csv``, whatever else is there (a data dictionary, a readme); if none
ends so, it is the only member. What operating systems add does not count.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nh_pipeline.landing.refused import Refused
from nh_pipeline.sources.litter import is_litter

if TYPE_CHECKING:
    from collections.abc import Iterable

_LOCAL, _DIRECTORY, _NO_MEMBERS, _DESCRIPTOR = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"PK\x07\x08"
_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_ENCRYPTED, _SIZES_FOLLOW, _UTF8_NAME = 0x1, 0x8, 0x800
_IN_EXTRA, _ZIP64 = 0xFFFFFFFF, 1
_DESCRIPTOR_BYTES = (16, 24, 12, 20)
"""Lengths of what follows a member whose sizes follow it: with or without a signature, sizes of 4 or 8 bytes."""

_PIECE, _MOST_UNPACKED = 1 << 16, 1 << 26
"""How much is unpacked at a time, and at most, to find the end of a member."""

_NAMED = 5
_PACKED = (".zip", ".gz")


@dataclass(frozen=True)
class Member:
    """A member as the archive's first bytes show it: its packed content and whether that is all of it."""

    info: zipfile.ZipInfo
    content: bytes
    complete: bool


def is_csv(info: zipfile.ZipInfo) -> bool:
    """Whether a member is called a CSV."""
    return info.filename.lower().endswith(".csv")


def counting(members: Iterable[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    """The members without folders and what operating systems add."""
    return [member for member in members if not _ignored(member.filename)]


def holds_several(members: Iterable[zipfile.ZipInfo]) -> bool:
    """Whether the files of an archive are to be looked at one by one: several CSVs, archives, or no CSV by its name."""
    members = list(members)
    counted = counting(members)
    if _is_workbook(members):
        return False
    csvs = [member for member in counted if is_csv(member)]
    packed = any(member.filename.lower().endswith(_PACKED) for member in counted)
    return packed or len(csvs) > 1 or (not csvs and len(counted) > 1)


def check_workbook(members: Iterable[zipfile.ZipInfo], name: str) -> None:
    """Refuses a workbook, which is a zip archive too, in words that help."""
    if _is_workbook(members):
        raise Refused(
            f"{name}: a workbook",
            expected="a CSV",
            found="a file of a spreadsheet program (xlsx, ods)",
            what_to_do="Deliver the CSV that CMS publishes, or save the sheet as CSV (UTF-8).",
        )


def _is_workbook(members: Iterable[zipfile.ZipInfo]) -> bool:
    names = {member.filename for member in members}
    return ("[Content_Types].xml" in names and any(name.startswith("xl/") for name in names)) or (
        "content.xml" in names and "META-INF/manifest.xml" in names
    )


def only_csv(members: Iterable[zipfile.ZipInfo], name: str) -> zipfile.ZipInfo:
    """The CSV of an archive.

    Args:
        members: All of its members.
        name: The delivery's name, for messages.

    Raises:
        Refused: If there are several or none, or it is encrypted or packed in an unusual way.
    """
    members = list(members)
    check_workbook(members, name)
    counted = counting(members)
    chosen = [member for member in counted if is_csv(member)] or counted
    if len(chosen) != 1:
        listed = ", ".join(repr(member.filename) for member in chosen[:_NAMED]) or "none"
        raise Refused(
            f"{name}: {'several files' if chosen else 'no file'} in the archive",
            expected="exactly one CSV",
            found=f"{len(chosen)}: {listed}{', ...' if len(chosen) > _NAMED else ''}",
            what_to_do="Deliver each CSV by itself.",
        )
    check_readable(chosen[0], name)
    return chosen[0]


def _ignored(member: str) -> bool:
    return member.endswith("/") or any(is_litter(part) for part in member.split("/") if part)


def check_readable(member: zipfile.ZipInfo, name: str) -> None:
    """Refuses a member that is encrypted or packed in an unusual way."""
    if member.flag_bits & _ENCRYPTED:
        raise Refused(
            f"{name}: encrypted archive",
            expected="an archive without password",
            found=f"{member.filename!r} is encrypted",
            what_to_do="Unpack it and deliver the CSV.",
        )
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Refused(
            f"{name}: unknown compression in the archive",
            expected="stored or deflated members",
            found=f"{member.filename!r} with method {member.compress_type}",
            what_to_do="Unpack it and deliver the CSV, or zip it with ordinary (deflate) compression.",
        )


def first_members(content: bytes) -> tuple[list[Member], bool]:
    """The members that the first bytes of an archive show, and whether these are all."""
    found: list[Member] = []
    at = 0
    while content.startswith(_LOCAL, at) and len(content) >= at + _LOCAL_HEADER.size:
        _, _, flags, method, _, _, _, packed, _, name_size, extra_size = _LOCAL_HEADER.unpack_from(content, at)
        at += _LOCAL_HEADER.size
        start = at + name_size + extra_size
        if start > len(content):
            break
        written = content[at : at + name_size].decode("utf-8" if flags & _UTF8_NAME else "cp437", "replace")
        info = zipfile.ZipInfo(written)
        info.flag_bits, info.compress_type = flags, method
        if flags & _SIZES_FOLLOW:
            end, following = _end(content, start, info)
        else:
            end = following = start + _size(packed, content[at + name_size : start])
        complete = end is not None and end <= len(content)
        found.append(Member(info, content[start:end], complete))
        if following is None or not complete:
            return found, False
        at = following
    return found, content[at : at + 4] in (_DIRECTORY, _NO_MEMBERS)


def _size(packed: int, extra: bytes) -> int:
    """The packed size of a member, which is among the extra fields of a large one."""
    at = 0
    while packed == _IN_EXTRA and at + 4 <= len(extra):
        kind, size = struct.unpack_from("<2H", extra, at)
        if kind == _ZIP64 and len(extra) >= at + 20:  # after the unpacked size
            return int(struct.unpack_from("<Q", extra, at + 12)[0])
        at += 4 + size
    return packed


def _end(content: bytes, start: int, info: zipfile.ZipInfo) -> tuple[int | None, int | None]:
    """Where the content of a member ends whose sizes follow it, and where the next member begins."""
    if info.flag_bits & _ENCRYPTED or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return None, None
    end = content.find(_DESCRIPTOR, start) if info.compress_type == zipfile.ZIP_STORED else _inflated(content, start)
    if end < 0:
        return None, None
    following = (end + size for size in _DESCRIPTOR_BYTES)
    return end, next((at for at in following if content[at : at + 4] in (_LOCAL, _DIRECTORY)), None)


def _inflated(content: bytes, start: int) -> int:
    """Where deflated data end, -1 if they go on; the archives that it may hold say nothing about that."""
    inflater, left = zlib.decompressobj(-zlib.MAX_WBITS), _MOST_UNPACKED
    for at in range(start, len(content), _PIECE):
        piece = content[at : at + _PIECE]
        try:
            left -= len(inflater.decompress(piece, left))
        except zlib.error:
            return -1
        if inflater.eof:
            return at + len(piece) - len(inflater.unused_data)
        if left <= 0 or inflater.unconsumed_tail:
            return -1
    return -1
