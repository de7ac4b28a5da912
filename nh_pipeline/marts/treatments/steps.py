"""The steps from deliveries of treatments to the last tables, and what must be the same on both sides of each.

The SQL is DuckDB's, over the tables by their names; ``$landed`` are the lines of the deliveries that count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nh_pipeline.datasets.treatments.tables import REJECTS, TREATMENT_ITEMS
from nh_pipeline.marts.treatments import (
    dim_dates,
    dim_diseases,
    dim_locations,
    dim_patients,
    dim_providers,
    dim_specialities,
    dim_times,
    dim_treatment_types_and_outcome_statuses,
    fact_treatments,
    geographical_treatment_distribution,
    monthly_treatment_trends,
    provider_success_rate_rank,
    provider_treatment_rank,
    summary_avg_treatment_cost,
    summary_provider_success_rates,
    summary_total_treatments_per_city,
)
from nh_pipeline.marts.treatments.treatments import TREATMENTS

if TYPE_CHECKING:
    from nh_pipeline.model.mart import Mart

LANDED = "deliveries"
"""What the first step reads."""

_ITEMS, _TREATMENTS, _FACT = TREATMENT_ITEMS.name, TREATMENTS.name, fact_treatments.FACT_TREATMENTS.name

_PUT_IDS = f"select distinct cast(treatment_id as bigint) as id from {_ITEMS} where op = 'put'"
_DAYS = ", ".join(f"make_timestamp(epoch_us(treatment_{of}_at))::date" for of in ("start", "completion", "outcome"))


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        source: the table that it reads.
        destination: the table that it makes.
        told: what is counted.
        at_source, at_destination: SQL of a number.
        explained: SQL of how many have another place.
    """

    source: str
    destination: str
    told: str
    at_source: str
    at_destination: str
    explained: str = "0"


def _dimension(mart: Mart, keys: str, told: str = "different keys in silver") -> Step:
    name = mart.table.name
    return Step(_TREATMENTS, name, f"{told} = rows, without the unknown member", keys, _count(name), "-1")


def _count(table: str) -> str:
    return f"(select count(*) from {table})"


def _different(column: str) -> str:
    return f"(select count(distinct {column}) from {_TREATMENTS})"


def _folded(column: str) -> str:
    return rf"coalesce(trim(regexp_replace(lower({column}), '[^a-z0-9]+', ' ', 'g')), '')"


STEPS = (
    Step(
        LANDED,
        _ITEMS,
        "lines of the deliveries that count = rows + refused lines",
        "$landed",
        _count(_ITEMS),
        _count(REJECTS.name),
    ),
    Step(
        _ITEMS,
        _TREATMENTS,
        "items and deletions = treatments + superseded + deletions + treatments that are no more",
        _count(_ITEMS),
        _count(_TREATMENTS),
        f"(select count(*) - count(distinct treatment_id) filter (op = 'put') from {_ITEMS})"
        f" + (select count(*) from ({_PUT_IDS}) where id not in (select treatment_id from {_TREATMENTS}))",
    ),
    _dimension(
        dim_dates.MART, f"(select count(distinct day) from (select unnest([{_DAYS}]) as day from {_TREATMENTS}))"
    ),
    _dimension(dim_times.MART, "24 * 60 * 60", "seconds of a day"),
    _dimension(
        dim_treatment_types_and_outcome_statuses.MART,
        _different(f"({_folded('treatment_type')}, {_folded('treatment_outcome_status')}, outcome_class)"),
    ),
    _dimension(dim_locations.MART, _different("location_id")),
    _dimension(
        dim_specialities.MART,
        f"(select count(distinct id) from (select unnest([provider_speciality_id, disease_speciality_id]) as id"
        f" from {_TREATMENTS}))",
    ),
    _dimension(dim_providers.MART, _different("provider_id")),
    _dimension(dim_patients.MART, _different("patient_id")),
    _dimension(dim_diseases.MART, _different("disease_id")),
    Step(_TREATMENTS, _FACT, "treatments = rows", _count(_TREATMENTS), _count(_FACT)),
    *(
        Step(
            _FACT,
            mart.table.name,
            "rows of the fact = sum of total_treatments",
            _count(_FACT),
            f"(select coalesce(sum(total_treatments), 0) from {mart.table.name})",
        )
        for mart in (
            provider_treatment_rank.MART,
            provider_success_rate_rank.MART,
            monthly_treatment_trends.MART,
            geographical_treatment_distribution.MART,
            summary_avg_treatment_cost.MART,
            summary_total_treatments_per_city.MART,
            summary_provider_success_rates.MART,
        )
    ),
)
