"""The landed deliveries of a dataset and whether they count: what :mod:`.guards` decides, on what the lake holds.

Reads manifests, notes and decisions; no data.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from nh_pipeline import datasets
from nh_pipeline.datasets.headers import Header, HeaderError, canonical_header
from nh_pipeline.errors import LakeError
from nh_pipeline.landing.confirmations import confirmed, withdrawn
from nh_pipeline.pipeline.guards import Candidate, DeliveryStatus, statuses
from nh_pipeline.pipeline.notes import DeliveryNote, Notes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.lake.snapshots import TableSnapshot
    from nh_pipeline.landing.manifest import Delivery
    from nh_pipeline.landing.zone import RawZone
    from nh_pipeline.model.dataset import Dataset

_ALIKE = 0.75
"""How alike two header cells are that probably name the same column."""


class NothingDelivered(Exception):  # noqa: N818 (named for what is the case)
    """No usable delivery covers what was asked for; the message names it, and why those that landed do not count."""


@dataclass(frozen=True)
class Deliveries:
    """The deliveries of one dataset, as they were when they were looked at.

    Attributes:
        bronze: state of the table of their lines.
        notes: of those that bronze shows as noted, by id: all their lines, but for the ragged ones, are there.
        statuses: of all of them, in order of business time.
        confirmed, withdrawn: ids of which a person has decided so.
    """

    dataset: Dataset
    landed: tuple[Delivery, ...]
    bronze: TableSnapshot
    notes: dict[str, DeliveryNote]
    statuses: tuple[DeliveryStatus, ...]
    confirmed: frozenset[str]
    withdrawn: frozenset[str]

    @cached_property
    def effective(self) -> list[str]:
        return [s.delivery_id for s in self.statuses if s.state == "effective"]

    @cached_property
    def names(self) -> dict[str, str]:
        """Names of the delivered files, by id."""
        return {s.delivery_id: s.name for s in self.statuses}

    @cached_property
    def by_coverage(self) -> dict[str, Deliveries]:
        """The same, apart for each quarter or release."""
        parts: dict[str, list[DeliveryStatus]] = {}
        for status in self.statuses:
            parts.setdefault(status.coverage, []).append(status)
        return {coverage: replace(self, statuses=tuple(found)) for coverage, found in sorted(parts.items())}

    @property
    def day_first(self) -> frozenset[str]:
        """Those that count in which a date like 03/04/2024 is the third of April."""
        return frozenset(d.delivery_id for d in self.landed if is_day_first(d)) & set(self.effective)

    def covering(self, coverage: str) -> Deliveries:
        """Those of one quarter or release; perhaps none."""
        return self.by_coverage.get(coverage) or replace(self, statuses=())

    def chosen(self, what: str, built_from: Iterable[str]) -> list[str]:
        """Ids of the deliveries to build from; none only if a person withdrew all that the table was built from before.

        Raises:
            NothingDelivered: No delivery counts. What was published stays: nothing is emptied because files are away.
        """
        before = set(built_from)
        if self.effective or (before and before <= self.withdrawn):  # a person has said that its rows are wrong
            return self.effective
        if not self.statuses:
            raise NothingDelivered(f"no delivery of {what} is in bronze")
        others = "; ".join(f"{s.name} is {s.state}: {s.reason}" for s in self.statuses[:5])
        raise NothingDelivered(f"no delivery of {what} counts. {others}")

    def require_noted(self) -> None:
        """Refuses to build a history while some of its releases are in bronze, but not as this version notes them.

        Raises:
            LakeError: They are to be parsed first; a history without them would lack them.
        """
        waiting = [s.name for s in self.statuses if s.state == "unparsed" and s.delivery_id in self.bronze.present]
        if waiting:
            raise LakeError(
                f"{self.dataset.name}: {len(waiting)} deliveries in bronze were parsed by an older version "
                f"({', '.join(waiting[:3])}{', …' * (len(waiting) > 3)}): nh materialize parses them again and "  # noqa: PLR2004
                "builds what follows"
            )

    def loss_known(self, before: Iterable[str]) -> str:
        """Why a table built from others than ``before`` may lose many rows; empty if nobody said so."""
        news, gone = set(self.effective) - set(before), set(before) - set(self.effective)
        if news & self.confirmed:
            return "a person has confirmed the delivery"
        return "a person has withdrawn the delivery" if gone & self.withdrawn else ""

    @property
    def lacking(self) -> dict[str, list[str]]:
        """Column to those that count whose file does not have it, as its header is read now."""
        found: dict[str, list[str]] = {}
        for i in self.effective:
            header = _header(self.dataset, self.notes[i])
            for column in header.absent if header else ():
                found.setdefault(column, []).append(i)
        return found

    @property
    def drift(self) -> tuple[str, ...]:
        """What the headers of those that count hold beside the known columns, where a known one is away.

        A cell that nobody knows beside a column that earlier deliveries had is probably that column under another name;
        its values are in ``extra_columns`` only, and the tables go on with older ones. A line for each file of the
        longest stretch up to now; none once its header is known.
        """
        told, had = [], set[str]()
        for status in (s for s in self.statuses if s.state == "effective" and s.delivery_id in self.notes):
            header = _header(self.dataset, self.notes[status.delivery_id])
            if header is None:
                continue
            gone = [column for column in header.absent if column in had]
            if header.extras and gone:
                pairs = ", ".join(_pair(self.dataset, cell, gone) for cell in header.extras[:5])
                more = f" and {len(header.extras) - 5} more" if len(header.extras) > 5 else ""  # noqa: PLR2004
                told.append(
                    f"{status.name} ({status.coverage}) has unknown header cells {pairs}{more}; earlier files had "
                    f"{', '.join(gone[:5])}{', …' * (len(gone) > 5)}, which it lacks"  # noqa: PLR2004
                )
            had |= {column for column in header.columns if column}
        return tuple(told)


def look(lake: Lake, zone: RawZone, dataset: Dataset, coverage: str | None = None) -> Deliveries:
    """Looks at the deliveries of a dataset, or of one quarter alone; a release depends on the ones before."""
    landed = (d for d in zone.deliveries(dataset.name) if coverage in (None, d.manifest.coverage.key))
    return _judged(lake, dataset, landed, withdrawn(lake.storage), confirmed(lake.storage))


def look_at_all(lake: Lake, zone: RawZone) -> dict[str, Deliveries]:
    """The deliveries of every dataset with tables, by its name."""
    landed: dict[str, list[Delivery]] = {}
    for delivery in zone.deliveries():
        landed.setdefault(delivery.manifest.dataset, []).append(delivery)
    by_person, taken = withdrawn(lake.storage), confirmed(lake.storage)
    return {d.name: _judged(lake, d, landed.get(d.name, ()), by_person, taken) for d in datasets.with_tables()}


def _judged(
    lake: Lake, dataset: Dataset, landed: Iterable[Delivery], by_person: dict[str, str], taken: frozenset[str]
) -> Deliveries:
    landed = tuple(landed)
    bronze, notes = noted(lake, dataset)
    candidates = [_candidate(d, notes.get(d.delivery_id), by_person) for d in landed]
    found = statuses(
        dataset.coverage,
        candidates,
        taken,
        every_facility=dataset.every_facility,
        changes=dataset.changed_by is not None,
    )
    return Deliveries(dataset, landed, bronze, notes, tuple(found), taken, frozenset(by_person))


def noted(lake: Lake, dataset: Dataset) -> tuple[TableSnapshot, dict[str, DeliveryNote]]:
    """The state of bronze, and the notes that it bears out: all lines of these, but for the ragged ones, are there."""
    bronze, notes = lake.snapshot(dataset.bronze), Notes(lake.storage).of(dataset.name)
    present = bronze.present
    return bronze, {i: note for i, note in notes.items() if i in present or note.records == note.ragged}


def is_day_first(delivery: Delivery) -> bool:
    """Whether a date like 03/04/2024 of a delivery is the third of April."""
    return delivery.manifest.date_order == "day-first"


def why_withdrawn(delivery: Delivery, by_person: Mapping[str, str]) -> str:
    """Why a delivery counts no longer, by its source or a person (id to why); empty if nobody withdrew it."""
    if delivery.withdrawn:
        return f"{delivery.manifest.source} no longer holds it; put the file back to let it count again"
    if delivery.delivery_id not in by_person:
        return ""
    why = f" ({by_person[delivery.delivery_id]})" if by_person[delivery.delivery_id] else ""
    return f"a person withdrew it{why}; nh withdraw {delivery.delivery_id[:12]} --undo lets it count again"


def _candidate(delivery: Delivery, note: DeliveryNote | None, by_person: dict[str, str]) -> Candidate:
    manifest = delivery.manifest
    return Candidate(
        delivery_id=delivery.delivery_id,
        coverage=manifest.coverage.key,
        name=manifest.name,
        told=f"{manifest.modified_at:%Y-%m-%d %H:%M}",
        note=note,
        withdrawn=why_withdrawn(delivery, by_person),
    )


def _pair(dataset: Dataset, cell: str, gone: Sequence[str]) -> str:
    labels = {_plain(label): c.name for c in dataset.columns if c.name in gone for label in c.labels}
    near = difflib.get_close_matches(_plain(cell), labels, n=1, cutoff=_ALIKE)
    return f"{cell!r}" + (f" (probably {labels[near[0]]})" if near else "")


def _plain(cell: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", cell.casefold()).strip()


def _header(dataset: Dataset, note: DeliveryNote) -> Header | None:
    try:
        return canonical_header(dataset, note.header)
    except HeaderError:  # known when it was parsed; the declaration has changed since, and the plan says so
        return None
