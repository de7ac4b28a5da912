"""What an export says of itself: the manifest of HL7's Bulk Data Access, and the log that its clients write.

What belongs here: when it was made, by which server, and whether it is all that the server has. Not here: whether all
of it has come (:mod:`nh_pipeline.landing.fhir.survey`).
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import parse_qs

import msgspec

from nh_pipeline.landing.fhir.documents import documents, instant

if TYPE_CHECKING:
    from datetime import datetime
    from io import BufferedReader

_EXPORT = re.compile(r"(https?://.+?)/(Patient/|Group/[^/]+/)?\$export(?:\?(.*))?", re.DOTALL)
_WIDE = {"_outputFormat", "_type"}
"""Parameters of a request that leave no resource of a type out, as all others may."""


class _File(msgspec.Struct):
    type: str
    count: Annotated[int, msgspec.Meta(ge=0)]


class _Manifest(msgspec.Struct):
    """A manifest of one part, without errors, that counts the resources of each file."""

    transactionTime: str  # noqa: N815
    request: str
    output: list[_File]
    error: Annotated[list[Any], msgspec.Meta(max_length=0)] = []
    link: Annotated[list[Any], msgspec.Meta(max_length=0)] = []


@dataclass(frozen=True)
class Told:
    """What a manifest or log says of an export.

    Attributes:
        transaction_time: when it was made, if it says so.
        bases: addresses of the server that it is from.
        counts: resources by type, of a manifest that all that the server has was asked for; else None.
        is_part: whether it says that only a part was asked for: of a time, of some patients, or of a group.
        of_patients: whether it says that what belongs to patients was asked for, not all there is.
        size: its bytes, unpacked.
    """

    transaction_time: datetime | None
    bases: frozenset[str]
    counts: Counter[str] | None
    is_part: bool
    of_patients: bool
    size: int


def told(file: BufferedReader, name: str) -> Told:
    """Reads a manifest or a log."""
    times, bases, counts, size = [], set(), None, 0
    is_part = of_patients = False
    for document in documents(file, name):
        size += len(document.content)
        try:
            line = msgspec.json.decode(document.content)
        except (msgspec.DecodeError, RecursionError):
            continue  # of a log, what can be read tells
        for said in _said(line):
            times.append(instant(said.get("transactionTime")))
            if asked := _EXPORT.match(str(said.get("request") or said.get("exportUrl"))):
                bases.add(asked[1])
                is_part |= _is_narrow(asked, said.get("requestParameters"))
                of_patients |= asked[2] == "Patient/"
        counts = counts or _counts(line)
    made = max((at for at in times if at), default=None)
    return Told(made, frozenset(bases), None if is_part else counts, is_part, of_patients, size)


def _said(line: object) -> list[dict[str, Any]]:
    parts = (line, line.get("eventDetail")) if isinstance(line, dict) else ()
    return [one for one in parts if isinstance(one, dict)]


def _is_narrow(asked: re.Match[str], more: object) -> bool:
    """Whether a request is not for all that the server has of some types."""
    parameters = {*parse_qs(asked[3] or ""), *(more if isinstance(more, dict) else ())}
    return (asked[2] or "").startswith("Group/") or not parameters <= _WIDE


def _counts(line: object) -> Counter[str] | None:
    try:
        manifest = msgspec.convert(line, _Manifest)
    except msgspec.ValidationError:
        return None
    counts = Counter[str]()
    for file in manifest.output:
        counts[file.type] += file.count
    return +counts if _EXPORT.fullmatch(manifest.request) and instant(manifest.transactionTime) else None
