"""The members of a zip archive, and which of them is the CSV.

What belongs here: the rule. Not here: reading a member (:mod:`nh_pipeline.landing.archive`).

The CSV is the one member whose name ends in ``.csv``, whatever else is there (a data dictionary, a readme); if none
ends so, it is the only member. What operating systems add does not count.
"""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from nh_pipeline.landing.refused import Refused
from nh_pipeline.sources.litter import is_litter

if TYPE_CHECKING:
    from collections.abc import Iterable

_ENCRYPTED = 0x1
_NAMED = 5
_PACKED = (".zip", ".gz")


def counting(members: Iterable[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    """The members without folders and what operating systems add."""
    return [member for member in members if not _ignored(member.filename)]


def holds_several(members: Iterable[zipfile.ZipInfo]) -> bool:
    """Whether the files of an archive are to be looked at one by one: several CSVs, archives, or no CSV by its name."""
    members = list(members)
    counted = counting(members)
    if _is_workbook(members):
        return False
    csvs = [member for member in counted if _is_csv(member)]
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


def _is_csv(info: zipfile.ZipInfo) -> bool:
    return info.filename.lower().endswith(".csv")


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
    chosen = [member for member in counted if _is_csv(member)] or counted
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
