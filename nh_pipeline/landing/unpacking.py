"""An archive of several deliveries, member by member, archives in it included.

What belongs here: which archives are that, what is in them, and the limits of it. Not here: archives of one CSV
(:mod:`nh_pipeline.landing.archive`), and what a member is (:mod:`nh_pipeline.landing.recognise`).
"""

from __future__ import annotations

import io
import shutil
import struct
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, cast

from nh_pipeline.landing import archive
from nh_pipeline.landing.members import check_readable, check_workbook, counting, holds_several
from nh_pipeline.landing.refused import Refused
from nh_pipeline.sources.protocol import CHUNK_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_MEMBERS = 2000
"""Members of an archive at most. CMS's monthly archive has 20."""

MAX_DEPTH = 3
"""How deep archives may lie in each other."""

MAX_TOTAL_BYTES = 16 * archive.MAX_BYTES
"""What an archive may unpack to in all."""

_DATA = (".csv", ".gz", ".zip")
_NAME_SIZES = struct.Struct("<26x2H")
_HEADER_BYTES = 30


@dataclass(frozen=True)
class Part:
    """A file in an archive.

    Attributes:
        path: Where it is: the names of the archives in the archive, and its own.
        litter: Whether an operating system has put it there.
        info: What the archive says of it.
        within: The archive that it is in.
        refused: Why it cannot be unpacked, if that is known already.
    """

    path: str
    litter: bool
    info: zipfile.ZipInfo
    within: zipfile.ZipFile
    refused: Refused | None = None

    @property
    def is_data(self) -> bool:
        """Whether its name says that it is a delivery, so that to leave it out would be a loss."""
        return self.info.filename.lower().endswith(_DATA)

    def check(self, name: str, *, limited: bool = True) -> None:
        """Looks whether it can be unpacked.

        Raises:
            Refused: If it is encrypted, or unpacks to too much.
        """
        if self.refused:
            raise self.refused
        check_readable(self.info, name)
        if limited:
            archive.check_size(self.info.file_size, self.info.compress_size, name)

    def unpack(self, out: BinaryIO, name: str, *, limited: bool = True) -> None:
        """Writes its content.

        Raises:
            Refused: If it is damaged, encrypted, or unpacks to too much.
        """
        self.check(name, limited=limited)
        with archive.damage_refused(name), self.within.open(self.info) as content:
            shutil.copyfileobj(content, out, CHUNK_BYTES)

    def as_packed(self, out: BinaryIO) -> None:
        """Writes it as it is in the archive, its header included: the evidence of one that cannot be unpacked."""
        stream = cast("BinaryIO", self.within.fp)
        stream.seek(self.info.header_offset)
        header = stream.read(_HEADER_BYTES)
        out.write(header)
        left = self.info.compress_size + (sum(_NAME_SIZES.unpack(header)) if len(header) == _HEADER_BYTES else 0)
        while left > 0 and (content := stream.read(min(left, CHUNK_BYTES))):
            out.write(content)
            left -= len(content)


def is_several(delivery: BinaryIO) -> bool:
    """Whether a delivery is an archive of several files that are to be looked at one by one."""
    if archive.kind(delivery.read(4)) != "zip":
        return False
    try:
        with _opened(delivery, "") as opened:
            return holds_several(opened.infolist())
    except Refused:
        return False


def parts(delivery: BinaryIO, name: str, *, limited: bool = True) -> Iterator[Part]:
    """What is in an archive, in the order of its directory.

    Args:
        delivery: A seekable stream of the archive; it stays open.
        name: The archive's name, for messages.
        limited: Whether it may only unpack to so much.

    Raises:
        Refused: If it has too many members, or says that it unpacks to too much.
    """
    packed = delivery.seek(0, io.SEEK_END)
    yield from _parts(_opened(delivery, name), name, "", packed if limited else None, 1)


def _parts(opened: zipfile.ZipFile, name: str, above: str, packed: int | None, depth: int) -> Iterator[Part]:
    infos = [info for info in opened.infolist() if not info.is_dir()]
    if len(infos) > MAX_MEMBERS:
        raise Refused(
            f"{name}: too many files in the archive",
            expected=f"at most {MAX_MEMBERS:,}",
            found=f"{len(infos):,}",
            what_to_do="Unpack it and deliver the files that are wanted.",
        )
    if packed is not None:
        archive.check_size(sum(info.file_size for info in infos), packed, name, most=MAX_TOTAL_BYTES)
    counted = {id(info) for info in counting(infos)}
    for info in infos:
        part = Part(f"{above}{info.filename}", id(info) not in counted, info, opened)
        if part.litter or not _is_archive(opened, info):
            yield part
            continue
        try:
            if depth == MAX_DEPTH:
                raise _too_deep(f"{name}/{part.path}")
            if packed is not None:
                archive.check_size(info.file_size, info.compress_size, name)
            with opened.open(info) as stream:
                inner = _opened(cast("BinaryIO", stream), f"{name}/{part.path}")
                check_workbook(inner.infolist(), f"{name}/{part.path}")
                yield from _parts(inner, name, f"{part.path}/", packed, depth + 1)
        except Refused as refused:
            yield Part(part.path, litter=False, info=info, within=opened, refused=refused)


def _too_deep(name: str) -> Refused:
    return Refused(
        f"{name}: archives in archives",
        expected=f"at most {MAX_DEPTH} in each other",
        found="one more",
        what_to_do="Unpack it and deliver the CSVs.",
    )


def _is_archive(opened: zipfile.ZipFile, info: zipfile.ZipInfo) -> bool:
    try:
        check_readable(info, "")
        with archive.damage_refused(""), opened.open(info) as stream:
            return archive.kind(stream.read(4)) == "zip"
    except Refused:
        return False


def _opened(delivery: BinaryIO, name: str) -> zipfile.ZipFile:
    with archive.damage_refused(name):
        size = delivery.seek(0, io.SEEK_END)
        delivery.seek(0)
        return zipfile.ZipFile(cast("BinaryIO", archive.Within(delivery, size)))
