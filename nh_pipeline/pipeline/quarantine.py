"""Deliveries that are set aside: in quarantine, held, or refused after they had landed. One place to look.

What belongs here: finding them, showing what they begin with, and taking them after all. Not here: why a file is
refused (:mod:`nh_pipeline.landing`), which deliveries count (:mod:`nh_pipeline.pipeline.guards`), and printing.
"""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Literal

from pydantic import AwareDatetime, BaseModel

from nh_pipeline import datasets
from nh_pipeline.landing.archive import kind, open_csv, start_of_csv
from nh_pipeline.landing.confirmations import confirm
from nh_pipeline.landing.manifest import Manifest, Quarantined
from nh_pipeline.landing.refused import Refused
from nh_pipeline.pipeline.deliveries import Deliveries, look_at_all
from nh_pipeline.pipeline.exports import Exports
from nh_pipeline.pipeline.exports import look as look_at_exports
from nh_pipeline.sources.protocol import PEEK_BYTES

if TYPE_CHECKING:
    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.landing.dates import DateOrder
    from nh_pipeline.landing.zone import RawZone


class SetAside(BaseModel, frozen=True):
    """A delivery that no table is made of, and why.

    Attributes:
        id: md5 of the file.
        state: ``quarantined`` when it came; ``held`` until a person confirms it; ``refused`` for what its lines hold.
        file_id: The source's key of the file.
        modified_at: The source's modified time.
        coverage: Quarter or release, where that is known.
        expected: What would have been taken; empty unless it is in quarantine, as is ``found``.
        overrulable: Whether a person may take it all the same.
        undecided_dates: Whether a person may take it by saying the order of its dates.
        file: Path of the kept bytes, relative to the lake.
        lines_refused: Lines that no table would show.
        rejects: Some of them, with the reason.
    """

    id: str
    state: Literal["quarantined", "held", "refused"]
    name: str
    source: str
    file_id: str
    size: int
    modified_at: AwareDatetime
    landed_at: AwareDatetime
    coverage: str
    reason: str
    expected: str
    found: str
    what_to_do: str
    overrulable: bool
    undecided_dates: bool = False
    file: str
    lines_refused: int = 0
    rejects: tuple[str, ...] = ()


class Admission(BaseModel):
    """What became of a delivery that was to be taken after all: taken or not, and what to tell."""

    taken: bool
    told: str


def set_aside(lake: Lake, zone: RawZone) -> list[SetAside]:
    """All of them: first the quarantine, then what is held or refused."""
    found = [
        SetAside(
            id=q.md5,
            state="quarantined",
            coverage="",
            file=q.file,
            **q.model_dump(exclude={"md5", "sha256", "compression", "archive"}),
        )
        for q in zone.quarantined()
    ]
    deliveries = {(d.delivery_id, d.manifest.coverage.key): d for d in zone.deliveries()}
    files = look_at_all(lake, zone).values()
    seen: list[Deliveries | Exports] = [*files, *(look_at_exports(lake, zone, export) for export in datasets.exports())]
    notes = {i: note for each in files for i, note in each.notes.items()}
    for status in (s for each in seen for s in each.statuses if s.state in ("held", "refused")):
        note = notes.get(status.delivery_id)
        delivery = deliveries[status.delivery_id, status.coverage]
        manifest, held = delivery.manifest, status.state == "held"
        found.append(
            SetAside(
                id=manifest.md5,
                state="held" if held else "refused",
                coverage=status.coverage,
                reason=status.reason,
                expected="",
                found="",
                what_to_do=f"If it is complete: nh quarantine admit {manifest.md5[:12]} --confirm --reason TEXT"
                if held
                else "Deliver the file anew; nh withdraw lets this one count no longer",
                overrulable=held,
                rejects=tuple(f"line {s.line:,}: {s.reason}" for s in note.samples) if note else (),
                lines_refused=status.lines_refused,
                file=delivery.file,
                **manifest.model_dump(include={"name", "source", "file_id", "size", "modified_at", "landed_at"}),
            )
        )
    return found


def admit(zone: RawZone, entry: SetAside, *, confirmed: str | None = None, order: DateOrder | None = None) -> Admission:
    """Takes a delivery after all, if it can be taken.

    A file in quarantine is judged again: the layouts that are known may have grown since. With a person's word it is
    also taken if it unpacks to too much, or in the order that the person says its dates have, and a delivery that is
    held is confirmed: ``confirmed`` says why.

    Raises:
        LandingError: The kept bytes are not the ones that came.
    """
    if entry.state == "quarantined":
        kept = next(q for q in zone.quarantined() if (q.file_id, q.md5) == (entry.file_id, entry.id))
        said = confirmed if order else None
        document = zone.readmit(kept, overruled=said, order=order).document
        if isinstance(document, Quarantined) and document.overrulable and confirmed is not None:
            document = zone.readmit(kept, overruled=confirmed, order=order).document
        if isinstance(document, Manifest):
            return Admission(taken=True, told=f"landed as {document.dataset} {document.coverage.key}")
        if isinstance(document, Quarantined):
            return Admission(taken=False, told=f"{document.found}. {document.what_to_do}")
        return Admission(taken=True, told=f"landed: {len(document.contents)} deliveries in it")
    if entry.state == "held" and confirmed is not None:
        delivery = next(d for d in zone.deliveries() if d.delivery_id == entry.id)
        confirm(zone.storage, delivery, reason=confirmed)
        return Admission(taken=True, told="confirmed; nh materialize takes it")
    return Admission(taken=False, told=f"{entry.reason}. {entry.what_to_do}")


def beginning(zone: RawZone, entry: SetAside, lines: int = 5) -> list[str]:
    """The first lines of what was delivered, unpacked, as far as they can be read; none if they cannot.

    Nor of JSON, which holds what is protected.
    """
    try:
        with zone.storage.open(entry.file) as stream:
            content = stream.read(PEEK_BYTES)
            if kind(content) == "zip":
                stream.seek(0)
                content = open_csv(stream, entry.name, limited=False).stream.read(PEEK_BYTES)
            else:
                content = start_of_csv(content, entry.name)
    except Refused:
        return []
    if content.removeprefix(codecs.BOM_UTF8).lstrip()[:1] in (b"{", b"["):
        return []
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = content.decode("utf-16", "replace") if utf16 else content.decode("utf-8-sig", "backslashreplace")
    return re.split(r"\r\n|\r|\n", text)[:lines] if text else []
