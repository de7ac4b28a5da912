"""Which exports are held until a person confirms them: what looks damaged, and what would delete too much."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.landing.sampled import share_gone

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from nh_pipeline.landing.manifest import Delivery, ExportFacts

LARGEST_LOSS = 0.05
"""Share of the patients, or treatments, of the complete export before that one may lack without being held."""


def held(exports: Sequence[Delivery], confirmed: Collection[str], withdrawn: Collection[str]) -> dict[str, str]:
    """Why exports are held, by delivery id.

    A complete one is compared with the one before of its source, or of its table, by the time of the export: what it
    lacks would be deleted. One that is held, or counts no longer, is before none.

    Args:
        exports: Deliveries of one kind of export.
        confirmed: Ids of those that a person takes all the same.
        withdrawn: Ids of those that a person withdrew.
    """
    found: dict[str, str] = {}
    before: dict[str, Delivery] = {}
    gone = {*withdrawn, *(d.delivery_id for d in exports if d.withdrawn)}
    told = [(facts, d) for d in exports if (facts := d.manifest.export) and d.delivery_id not in gone]
    for facts, delivery in sorted(told, key=lambda each: (each[0].exported_at, each[1].delivery_id)):
        of = _of(facts)
        why = facts.held or (_lacking(facts, before[of]) if of in before else "")
        if why and delivery.delivery_id not in confirmed:
            found[delivery.delivery_id] = why
        elif of is not None:
            before[of] = delivery
    return found


def _of(facts: ExportFacts) -> str | None:
    """Of what a complete export has everything: a source, or a table; None if it is not complete, or nobody says."""
    if facts.extraction:
        return (facts.extraction.table_name or None) if facts.extraction.is_full else None
    return facts.source if facts.full else None


def _lacking(facts: ExportFacts, before: Delivery) -> str:
    """Why a complete export is not to delete what it lacks of the one before: too much would be gone."""
    gone = share_gone(_ids(before.manifest.export), _ids(facts))
    what = "treatments" if facts.extraction else "patients"
    told = f"it lacks {gone:.1%} of the {what} of {before.manifest.name}, more than {LARGEST_LOSS:.0%}"
    return told if gone > LARGEST_LOSS else ""


def _ids(facts: ExportFacts | None) -> tuple[int, ...]:
    """The sample of a complete export."""
    if facts is None:
        return ()
    return facts.extraction.ids if facts.extraction else facts.patients
