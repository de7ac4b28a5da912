"""Which of the landed deliveries count: one per coverage, a pure function of deliveries and confirmations.

A later delivery supersedes the earlier one of its coverage. It is *held* if it would take more than 5 % of the
facilities away (an extract must not erase a quarter), until a person confirms it. A release is held likewise if
it lacks more than 5 % of the previous release's providers, and *refused* if a key occurs twice in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from nh_pipeline.contracts.bronze import BRONZE, REJECTS
from nh_pipeline.contracts.silver import DIM_CLAIMS, DIM_PROVIDERS
from nh_pipeline.landing.confirmations import confirmed
from nh_pipeline.steps.memory import remembered

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nh_pipeline.contracts.base import Contract
    from nh_pipeline.lake.lake import Lake, Pin
    from nh_pipeline.landing.manifest import Delivery
    from nh_pipeline.landing.zone import RawZone

LARGEST_LOSS = 0.05
"""Share of facilities that a delivery may lack of the one before without being held."""

DIMENSIONS: dict[str, Contract] = {"providers": DIM_PROVIDERS, "medicare_claims": DIM_CLAIMS}
"""The SCD2 dimension that each monthly dataset becomes."""


class Standing(BaseModel):
    """Whether a delivery counts, and why not.

    Attributes:
        state: ``effective``; ``superseded`` by a later one; ``held`` until confirmed; ``refused``; ``unparsed``
            (not in bronze yet); ``withdrawn`` by its source.
        reason: for people, with what to do.
    """

    model_config = ConfigDict(frozen=True)

    delivery_id: str
    coverage: str
    name: str
    state: Literal["effective", "superseded", "held", "refused", "unparsed", "withdrawn"]
    reason: str = ""


def effective(standings: Iterable[Standing]) -> list[str]:
    """Ids of the deliveries that count."""
    return [s.delivery_id for s in standings if s.state == "effective"]


def rejects_slices(lake: Lake, standings: Iterable[Standing]) -> tuple[list[str], Pin]:
    """The slices of ``bronze.rejects`` that a silver step replaces, and their state.

    Those of all deliveries: one that was superseded loses its rejects, whatever the order in which they came.
    """
    slices = [f"{s.delivery_id}.type" for s in standings]
    return slices, lake.pin(REJECTS, slices)


def quarter_standings(lake: Lake, zone: RawZone, coverage: str) -> list[Standing]:
    """Standing of every staffing delivery of one quarter."""
    deliveries = [d for d in zone.deliveries("daily_nurse_staffing") if d.manifest.coverage.key == coverage]
    counting, standings = _without_withdrawn(deliveries)
    return _supersede(_Keys(lake, "daily_nurse_staffing"), counting, confirmed(lake.storage)) + standings


def release_standings(lake: Lake, zone: RawZone, dataset: str) -> list[Standing]:
    """Standing of every delivery of a monthly dataset, over all its releases in order of business time."""
    keys, approved = _Keys(lake, dataset), confirmed(lake.storage)
    by_release: dict[str, list[Delivery]] = {}
    counting, standings = _without_withdrawn(zone.deliveries(dataset))
    for delivery in counting:
        by_release.setdefault(delivery.manifest.coverage.key, []).append(delivery)
    key = list(DIMENSIONS[dataset].grain[:-1])
    previous: tuple[str, pa.Array] | None = None
    for release, deliveries in sorted(by_release.items()):
        usable = []
        for delivery in deliveries:
            doubled = keys.doubled(delivery, key) if keys.parsed(delivery) else 0
            if doubled:
                reason = (
                    f"{doubled} keys ({', '.join(key)}) occur more than once in {delivery.manifest.name}:"
                    " expected one line each. Deliver the file anew"
                )
                standings.append(_standing(delivery, "refused", reason))
            else:
                usable.append(delivery)
        settled = _supersede(keys, usable, approved)
        winner = next((d for d in usable if d.delivery_id in effective(settled)), None)
        if winner is not None:
            providers = keys.providers(winner)
            reason = _lacking(winner, providers, previous) if winner.delivery_id not in approved else ""
            if reason:
                settled = [_standing(winner, "held", reason) if s.state == "effective" else s for s in settled]
            else:
                previous = (release, providers)
        standings += settled
    return standings


def _without_withdrawn(deliveries: Iterable[Delivery]) -> tuple[list[Delivery], list[Standing]]:
    """The deliveries that may count, and the standing of the others."""
    counting: list[Delivery] = []
    standings = []
    for delivery in deliveries:
        if delivery.withdrawn:
            reason = f"{delivery.manifest.source} no longer holds it; put the file back to let it count again"
            standings.append(_standing(delivery, "withdrawn", reason))
        else:
            counting.append(delivery)
    return counting, standings


def _supersede(keys: _Keys, deliveries: Sequence[Delivery], approved: frozenset[str]) -> list[Standing]:
    """Deliveries of one coverage, in order of precedence: the last one that is not held wins."""
    winner: Delivery | None = None
    standings: dict[str, Standing] = {}
    for delivery in deliveries:
        if not keys.parsed(delivery):
            standings[delivery.delivery_id] = keys.without_lines(delivery)
            continue
        if winner is not None:
            has, had = len(keys.providers(delivery)), len(keys.providers(winner))
            if has < (1 - LARGEST_LOSS) * had and delivery.delivery_id not in approved:
                reason = (
                    f"{has:,} facilities, the delivery that it would supersede ({winner.manifest.name}) has {had:,}: "
                    f"{1 - has / had:.1%} fewer, more than {LARGEST_LOSS:.0%}. If it is meant to replace it: "
                    f"nh confirm {delivery.delivery_id[:12]}"
                )
                standings[delivery.delivery_id] = _standing(delivery, "held", reason)
                continue
            reason = f"by {delivery.manifest.name} of {delivery.manifest.modified_at:%Y-%m-%d %H:%M}"
            standings[winner.delivery_id] = _standing(winner, "superseded", reason)
        winner = delivery
        standings[delivery.delivery_id] = _standing(delivery, "effective")
    return list(standings.values())


def _lacking(delivery: Delivery, providers: pa.Array, previous: tuple[str, pa.Array] | None) -> str:
    if previous is None:
        return ""
    release, before = previous
    lacks = len(before) - int(pc.sum(pc.is_in(before, value_set=providers)).as_py() or 0)
    if lacks <= LARGEST_LOSS * len(before):
        return ""
    return (
        f"lacks {lacks:,} of the {len(before):,} providers of release {release} ({lacks / len(before):.1%}, more than "
        f"{LARGEST_LOSS:.0%}): taken as truncated. If it is complete: nh confirm {delivery.delivery_id[:12]}"
    )


def _standing(delivery: Delivery, state: str, reason: str = "") -> Standing:
    return Standing.model_validate(
        {
            "delivery_id": delivery.delivery_id,
            "coverage": delivery.manifest.coverage.key,
            "name": delivery.manifest.name,
            "state": state,
            "reason": reason,
        }
    )


class _Keys:
    """Key columns of deliveries, read from bronze with pyarrow (no engine: a column of text per release)."""

    def __init__(self, lake: Lake, dataset: str) -> None:
        self._lake = lake
        self._pin = lake.pin(BRONZE[dataset])
        self._seen = remembered(lake, BRONZE[dataset])
        self._providers: dict[str, pa.Array] = {}

    def parsed(self, delivery: Delivery) -> bool:
        return delivery.delivery_id in self._pin.present

    def without_lines(self, delivery: Delivery) -> Standing:
        """Of a delivery that has no lines in bronze: nobody has parsed it yet, or every line of it was refused."""
        if delivery.delivery_id in self._seen:
            reason = "every line of it was refused: see bronze.rejects, and deliver the file anew"
            return _standing(delivery, "refused", reason)
        return _standing(delivery, "unparsed", "landed, not in bronze yet")

    def providers(self, delivery: Delivery) -> pa.Array:
        """Distinct CCNs of a delivery, in capital letters."""
        known = self._providers.get(delivery.delivery_id)
        if known is None:
            known = pc.unique(self._columns(delivery, ["provider_id"]).column(0)).drop_null()
            self._providers[delivery.delivery_id] = known
        return known

    def doubled(self, delivery: Delivery, key: list[str]) -> int:
        """Keys that occur more than once; a line without its key is refused by itself, not with the release."""
        counted = self._columns(delivery, key).drop_null().group_by(key).aggregate([([], "count_all")])
        return int(pc.sum(pc.greater(counted["count_all"], 1)).as_py() or 0)

    def _columns(self, delivery: Delivery, columns: list[str]) -> pa.Table:
        paths = self._pin.only([delivery.delivery_id]).paths
        tables = []
        for path in paths:
            with self._lake.open(path) as source:
                tables.append(pq.read_table(source, columns=columns))
        text = pa.concat_tables(tables)
        cleaned = [pc.utf8_upper(pc.utf8_trim_whitespace(text[c])) for c in columns]
        return pa.Table.from_arrays(cleaned, names=columns)
