"""What a landed delivery holds, noted once, when it is parsed: a small JSON document of the lake for each.

Which deliveries count (:mod:`.effective`) is computed from these notes alone; no data are read for it.

A note is a function of the delivery and of two recipes: how its lines become bronze, and how their values are judged.
It says by which, so that it is stale, not wrong, when the code has changed: ``state/parsed/<dataset>/<id>.json``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from nh_pipeline.lake.documents import DocumentReader

if TYPE_CHECKING:
    from nh_pipeline.lake.storage import Storage

_FOLDER = "state/parsed"


class RefusedSample(BaseModel, frozen=True):
    """A line that was refused: its record number in the file, the header being 1, and why."""

    line: int
    reason: str


class DeliveryNote(BaseModel, frozen=True):
    """What a delivery holds.

    Attributes:
        delivery_id: md5 of the file.
        parsed: recipe by which its lines became bronze.
        inspected: recipe by which their values were judged.
        header: cells of line 1, as the file writes them.
        records: lines after the header.
        ragged: those of them that are no records (other cells than the header has); they are not in bronze.
        refused: lines of bronze whose values are refused, by the column that the reason is about.
        samples: some of the lines that are refused, ragged or for a value.
        keys: keys (facility and day; provider; provider and measure) that at least one line gives.
        doubled: keys that more than one line gives.
        facilities: CCNs that can be read, sorted, with a blank between them.
        days: days that can be read, ISO, sorted; empty for a release.
        content: of a release, a digest of its lines in any order, without its date; empty for others.
    """

    delivery_id: str
    parsed: str
    inspected: str
    header: tuple[str, ...]
    records: int
    ragged: int = 0
    refused: dict[str, int] = Field(default_factory=dict)
    samples: tuple[RefusedSample, ...] = ()
    keys: int = 0
    doubled: int = 0
    facilities: str = ""
    days: tuple[str, ...] = ()
    content: str = ""

    @property
    def providers(self) -> frozenset[str]:
        """The CCNs. Made anew each time: as sets, those of a hundred deliveries would fill the memory."""
        return frozenset(self.facilities.split())

    @property
    def lines_refused(self) -> int:
        """Lines that no table shows."""
        return self.ragged + sum(self.refused.values())


class Notes:
    """The notes of one lake."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def write(self, dataset: str, note: DeliveryNote) -> None:
        """Keeps a note; one that says the same already stays."""
        path = f"{_FOLDER}/{dataset}/{note.delivery_id}.json"
        content = note.model_dump_json(indent=1).encode()
        if not self._storage.exists(path) or self._storage.read(path) != content:
            self._storage.write(path, content)

    def of(self, dataset: str) -> dict[str, DeliveryNote]:
        """All notes of a dataset, by delivery. A damaged one counts as missing: its delivery is parsed again."""
        notes = _NOTES.below(self._storage, f"{_FOLDER}/{dataset}", suffix=".json")
        return {note.delivery_id: note for note in notes.values()}


def _parsed(content: bytes) -> DeliveryNote | None:
    try:
        return DeliveryNote.model_validate_json(content)
    except ValueError:
        return None


_NOTES = DocumentReader(_parsed)
