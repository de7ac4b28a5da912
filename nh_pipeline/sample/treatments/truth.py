"""What the tables must come to: computed from the treatments as they are, in plain Python."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nh_pipeline.sample.treatments.system import System, Treated

Rows: TypeAlias = list[dict[str, Any]]

UNKNOWN = -1

_SMALL, _UNDECIDED = 30, 0.01


@dataclass(frozen=True)
class TreatmentTruth:
    """After some extractions.

    Attributes:
        system: The treatments.
        extractions: How many.
    """

    system: System
    extractions: int

    @cached_property
    def treatments(self) -> list[Treated]:
        """What is held: all that is there, but that nothing tells what was deleted unseen before the next full scan."""
        return list(self.system.all_treated(self.extractions))

    @property
    def dimensions(self) -> dict[str, int]:
        """Rows of each dimension but the static one, the unknown member with them."""
        held = self.treatments
        specialities = {1 + of.provider % 5 for of in held if of.provider} | {1 + of.disease % 5 for of in held}
        found: dict[str, set[Any]] = {
            "dim_locations": {of.place for of in held},
            "dim_providers": {of.provider for of in held if of.provider},
            "dim_patients": {of.patient for of in held},
            "dim_diseases": {of.disease for of in held},
            "dim_specialities": specialities,
            "dim_dates": {day for of in held for day in (of.started, of.completed) if day},
            "dim_treatment_types_and_outcome_statuses": {
                (of.kind, (of.status or "").strip().lower(), of.outcome) for of in held
            },
        }
        return {name: len(members) + 1 for name, members in found.items()}

    @property
    def tables(self) -> dict[str, Rows]:
        """The seven tables."""
        providers = [self._provider(number, of) for number, of in self._by(lambda one: one.provider or UNKNOWN)]
        cities = [
            {**dict(zip(("country", "state", "city"), place, strict=True)), "total_treatments": len(of)}
            for place, of in self._by(lambda one: self.system.places[one.place - 1])
        ]
        total, name = len(self.treatments), ("provider_id", "full_name")
        rates = (*name, "total_treatments", "decided", "successes", "success_rate")
        return {
            "provider_treatment_rank": _ranked(_only(providers, *name, "total_treatments"), "total_treatments"),
            "provider_success_rate_rank": [
                {**row, "is_small_n": row["decided"] < _SMALL}
                for row in _ranked(_only(providers, *rates), "success_rate")
            ],
            "monthly_treatment_trends": [
                _month(month, of) for month, of in self._by(lambda one: one.started and one.started.replace(day=1))
            ],
            "geographical_treatment_distribution": [
                {**row, "share": row["total_treatments"] / total} for row in cities
            ],
            "summary_avg_treatment_cost": _only(
                providers, *name, "total_treatments", "n_with_cost", "total_cost", "avg_treatment_cost"
            ),
            "summary_total_treatments_per_city": cities,
            "summary_provider_success_rates": _only(providers, *rates),
        }

    def _by(self, key: Callable[[Treated], Any]) -> Iterable[tuple[Any, list[Treated]]]:
        groups = defaultdict(list)
        for one in self.treatments:
            groups[key(one)].append(one)
        return groups.items()

    def _provider(self, number: int, of: list[Treated]) -> dict[str, Any]:
        costs = [one.cost for one in of if one.cost is not None]
        return {
            "provider_id": number,
            "full_name": "(unknown)" if number == UNKNOWN else f"Dr. Generated Provider {number}",
            **_outcomes(of),
            "n_with_cost": len(costs),
            "total_cost": sum(costs) if costs else None,
            "avg_treatment_cost": float(sum(costs)) / len(costs) if costs else None,
        }


def _outcomes(of: list[Treated]) -> dict[str, Any]:
    outcomes = Counter(one.outcome for one in of)
    decided = outcomes["success"] + outcomes["failure"]
    return {
        "total_treatments": len(of),
        "decided": decided,
        "successes": outcomes["success"],
        "open": outcomes["open"],
        "success_rate": outcomes["success"] / decided if decided else None,
    }


def _month(month: Any, of: list[Treated]) -> dict[str, Any]:
    counts = _outcomes(of)
    mature = counts["total_treatments"] - counts["decided"] <= _UNDECIDED * counts["total_treatments"]
    return {"year": month and month.year, "month": month and month.month, "month_start": month, **counts,
            "is_mature": mature}  # fmt: skip


def _only(rows: Rows, *names: str) -> Rows:
    return [{name: row[name] for name in names} for row in rows]


def _ranked(rows: Rows, by: str) -> Rows:
    """Adds how many are better, and one."""
    values = [row[by] for row in rows if row[by] is not None and row["provider_id"] != UNKNOWN]
    better = {value: 1 + sum(other > value for other in values) for value in {*values}}
    return [{**row, "rank": None if row["provider_id"] == UNKNOWN else better.get(row[by])} for row in rows]
