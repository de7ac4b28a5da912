"""The landed deliveries of a lake and whether they count: what :mod:`.effective` decides, on what the lake holds.

Reads manifests, notes and decisions; no data.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from nh_pipeline.contracts.bronze import BRONZE, REJECTS
from nh_pipeline.contracts.raw import DATASETS, HeaderError, canonical_header
from nh_pipeline.contracts.silver import DIM_CLAIMS, DIM_PROVIDERS, FCT_STAFFING_LEVELS
from nh_pipeline.lake.lake import LakeError
from nh_pipeline.landing.confirmations import confirmed, withdrawn
from nh_pipeline.pipeline.guards import Candidate, Standing, effective, judged
from nh_pipeline.pipeline.notes import Notes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nh_pipeline.contracts.base import Contract
    from nh_pipeline.contracts.raw import Header
    from nh_pipeline.lake.lake import Lake, Pin
    from nh_pipeline.landing.manifest import Delivery
    from nh_pipeline.landing.zone import RawZone
    from nh_pipeline.pipeline.notes import DeliveryNote

STAFFING = "daily_nurse_staffing"

DIMENSIONS: dict[str, Contract] = {"providers": DIM_PROVIDERS, "medicare_claims": DIM_CLAIMS}
"""The SCD2 dimension that each monthly dataset becomes."""

SILVER: dict[str, Contract] = {STAFFING: FCT_STAFFING_LEVELS, **DIMENSIONS}
"""The silver table that each modelled dataset becomes; its rules say which values are refused."""

_ALIKE = 0.75
"""How alike two header cells are that probably name the same column."""


class NothingDelivered(Exception):  # noqa: N818 (named for what is the case)
    """No usable delivery covers what was asked for; the message names it, and why those that landed do not count."""


def standings(lake: Lake, zone: RawZone, dataset: str, coverage: str | None = None) -> list[Standing]:
    """Standing of every delivery of a modelled dataset, in order of business time.

    Args:
        lake: the lake.
        zone: its raw zone.
        dataset: name of the dataset.
        coverage: of a quarter, to look at that one alone. A release depends on the ones before.
    """
    kind = DATASETS[dataset].coverage
    deliveries = [d for d in zone.deliveries(dataset) if coverage in (None, d.manifest.coverage.key)]
    noted, by_person = parsed(lake, dataset), withdrawn(lake.storage)
    candidates = [_candidate(d, noted.get(d.delivery_id), by_person) for d in deliveries]
    return judged(kind, candidates, confirmed(lake.storage))


def parsed(lake: Lake, dataset: str) -> dict[str, DeliveryNote]:
    """Notes of the deliveries that bronze shows as noted: all their lines, but for the ragged ones, are there."""
    present = lake.pin(BRONZE[dataset]).present
    notes = Notes(lake.storage).of(dataset)
    return {i: note for i, note in notes.items() if i in present or note.records == note.ragged}


def _candidate(delivery: Delivery, note: DeliveryNote | None, by_person: dict[str, str]) -> Candidate:
    manifest, reason = delivery.manifest, ""
    if delivery.withdrawn:
        reason = f"{manifest.source} no longer holds it; put the file back to let it count again"
    elif delivery.delivery_id in by_person:
        why = f" ({by_person[delivery.delivery_id]})" if by_person[delivery.delivery_id] else ""
        reason = f"a person withdrew it{why}; nh withdraw {delivery.delivery_id[:12]} --undo lets it count again"
    return Candidate(
        delivery_id=delivery.delivery_id,
        coverage=manifest.coverage.key,
        name=manifest.name,
        told=f"{manifest.modified_at:%Y-%m-%d %H:%M}",
        note=note,
        withdrawn=reason,
    )


def chosen(found: Sequence[Standing], lake: Lake, what: str, built_from: Iterable[str]) -> list[str]:
    """Ids of the deliveries to build from; none only if a person withdrew all that the table was built from.

    Args:
        found: standings.
        lake: the lake.
        what: is built, for the message.
        built_from: ids of the deliveries that it was built from before.

    Raises:
        NothingDelivered: No delivery counts. What was published stays: nothing is emptied because files are away.
    """
    ids = effective(found)
    before = set(built_from)
    if ids or (before and before <= withdrawn(lake.storage).keys()):  # a person has said that its rows are wrong
        return ids
    if not found:
        raise NothingDelivered(f"no delivery of {what} is in bronze")
    others = "; ".join(f"{s.name} is {s.state}: {s.reason}" for s in found[:5])
    raise NothingDelivered(f"no delivery of {what} counts. {others}")


def require_noted(lake: Lake, dataset: str, found: Iterable[Standing]) -> None:
    """Refuses to build a history while some of its releases are in bronze, but not as this version notes them.

    Raises:
        LakeError: They are to be parsed first; a history without them would lack them.
    """
    present = lake.pin(BRONZE[dataset]).present
    waiting = [s.name for s in found if s.state == "unparsed" and s.delivery_id in present]
    if waiting:
        raise LakeError(
            f"{dataset}: {len(waiting)} deliveries in bronze were parsed by an older version ({', '.join(waiting[:3])}"
            f"{', …' * (len(waiting) > 3)}): nh materialize parses them again and builds what follows"  # noqa: PLR2004
        )


def loss_known(lake: Lake, ids: Iterable[str], before: Iterable[str]) -> str:
    """Why a table that is built from other deliveries than before may lose many rows; empty if nobody said so."""
    news, gone = set(ids) - set(before), set(before) - set(ids)
    if news & confirmed(lake.storage):
        return "a person has confirmed the delivery"
    return "a person has withdrawn the delivery" if gone & withdrawn(lake.storage).keys() else ""


def is_day_first(delivery: Delivery) -> bool:
    """Whether a date like 03/04/2024 of a delivery is the third of April."""
    return delivery.manifest.date_order == "day-first"


def rejects_slices(lake: Lake, found: Iterable[Standing]) -> tuple[list[str], Pin]:
    """The slices of ``bronze.rejects`` that a silver step replaces, and their state.

    Those of all deliveries: one that was superseded loses its rejects, whatever the order in which they came.
    """
    slices = [f"{s.delivery_id}.type" for s in found]
    return slices, lake.pin(REJECTS, slices)


def lacking(dataset: str, noted: dict[str, DeliveryNote], ids: Iterable[str]) -> dict[str, list[str]]:
    """Column to those of the deliveries whose file does not have it, as its header is read now."""
    found: dict[str, list[str]] = {}
    for i in ids:
        header = _header(dataset, noted[i])
        for column in header.absent if header else ():
            found.setdefault(column, []).append(i)
    return found


def drift(dataset: str, found: Sequence[Standing], noted: dict[str, DeliveryNote]) -> list[str]:
    """What the headers of the deliveries that count hold beside the known columns, where a known one is away.

    A cell that nobody knows beside a column that earlier deliveries had is probably that column under another name; its
    values are in ``extra_columns`` only, and the tables go on with older ones.

    Returns:
        A line for each file of the longest stretch up to now; none once its header is known.
    """
    told, had = [], set[str]()
    for standing in (s for s in found if s.state == "effective" and s.delivery_id in noted):
        header = _header(dataset, noted[standing.delivery_id])
        if header is None:
            continue
        gone = [column for column in header.absent if column in had]
        if header.extras and gone:
            pairs = ", ".join(_pair(dataset, cell, gone) for cell in header.extras[:5])
            more = f" and {len(header.extras) - 5} more" if len(header.extras) > 5 else ""  # noqa: PLR2004
            told.append(
                f"{standing.name} ({standing.coverage}) has unknown header cells {pairs}{more}; earlier files had "
                f"{', '.join(gone[:5])}{', …' * (len(gone) > 5)}, which it lacks"  # noqa: PLR2004
            )
        had |= {column for column in header.columns if column}
    return told


def _pair(dataset: str, cell: str, gone: Sequence[str]) -> str:
    labels = {_plain(label): c.name for c in DATASETS[dataset].table if c.name in gone for label in c.labels}
    near = difflib.get_close_matches(_plain(cell), labels, n=1, cutoff=_ALIKE)
    return f"{cell!r}" + (f" (probably {labels[near[0]]})" if near else "")


def _plain(cell: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", cell.casefold()).strip()


def _header(dataset: str, note: DeliveryNote) -> Header | None:
    try:
        return canonical_header(dataset, note.header)
    except HeaderError:  # known when it was parsed; the declaration has changed since, and the plan says so
        return None
