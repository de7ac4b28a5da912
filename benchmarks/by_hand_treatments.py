"""Treatments from an export of DynamoDB to the star schema and its seven tables, with DuckDB, written by hand.

The yardstick: what a good engineer would write in a day for a full export that is sound, without any check, lineage,
commit, or thought of deletions. Of an item it keeps the attributes that it knows.
``python -m benchmarks.by_hand_treatments ZIP OUT`` prints seconds of wall and of CPU per layer as JSON.
"""

from __future__ import annotations

import sys
import zipfile
from typing import TYPE_CHECKING

import duckdb

from benchmarks.clock import Clock, told

if TYPE_CHECKING:
    from pathlib import Path

ATTRIBUTES = {
    "treatment": "id type outcome_status start_date completion_date outcome_date duration_in_days cost",
    "provider": "id full_name speciality_id speciality_name affiliated_hospital",
    "location": "id country state city",
    "patient": "id full_name gender age",
    "disease": "id speciality_id speciality_name name type severity transmission_mode mortality_rate",
    "metadata": "added_at modified_at",
}
_MAPS = {of: {"M": {name: {"S": "VARCHAR", "N": "VARCHAR"} for name in named.split()}}
         for of, named in ATTRIBUTES.items()}  # fmt: skip
_COLUMNS = ", ".join(
    f"nullif(trim(coalesce(Item.{of}.M.{name}.S, Item.{of}.M.{name}.N)), '') as {of}_{name}"
    for of, named in ATTRIBUTES.items()
    for name in named.split()
)

_WHOLE = (
    "treatment_duration_in_days", "provider_id", "provider_speciality_id", "location_id", "patient_id", "patient_age",
    "disease_id", "disease_speciality_id",
)  # fmt: skip
_TIMES = tuple(f"treatment_{of}_date" for of in ("start", "completion", "outcome"))


def _at(column: str) -> str:
    return f"""coalesce(make_timestamptz(cast(try_cast({column} as decimal(20, 3)) * 1000 as bigint)),
        cast({column} as timestamptz))"""


_FOLDED = "trim(regexp_replace(lower(treatment_outcome_status), '[^a-z0-9]+', ' ', 'g'))"
_OUTCOME = f"""case
    when {_FOLDED} in ('success', 'successful', 'succeeded', 'cured', 'recovered', 'resolved', 'improved', 'effective')
        then 'success'
    when {_FOLDED} in ('failure', 'failed', 'unsuccessful', 'not cured', 'not recovered', 'not improved',
        'ineffective', 'worsened', 'deceased', 'died') then 'failure'
    when {_FOLDED} in ('open', 'ongoing', 'on going', 'in progress', 'in treatment', 'under treatment', 'pending',
        'planned', 'scheduled', 'active', 'not started') then 'open'
    when treatment_outcome_status is null and treatment_completion_date is null then 'open' else 'unknown' end"""

SILVER = {
    "treatments": f"""select cast(treatment_id as bigint) as treatment_id,
            * exclude (treatment_id, metadata_modified_at)
            replace ({", ".join(f"cast(cast({c} as decimal(18, 1)) as bigint) as {c}" for c in _WHOLE)},
                     {", ".join(f"cast({c} as timestamptz) as {c}" for c in _TIMES)},
                     cast(treatment_cost as decimal(18, 2)) as treatment_cost,
                     cast(disease_mortality_rate as decimal(9, 4)) as disease_mortality_rate),
            {_OUTCOME} as outcome_class, {_at("metadata_modified_at")} as modified_at
        from items where coalesce(cast(treatment_duration_in_days as decimal(18, 1)) % 1, 0) = 0
        qualify row_number() over (partition by treatment_id order by modified_at desc) = 1"""
}
"""The latest item of each treatment, typed; what has a broken number is left out."""


def _dimension(key: str, columns: str, unknown: str) -> str:
    """The latest treatment of each key, and the unknown member."""
    return f"""select {key}, {columns} from (
            from treatments where {key} is not null
            qualify row_number() over (partition by {key} order by modified_at desc, treatment_id desc) = 1)
        union all select -1, {unknown}"""


_TYPE = f"concat_ws('|', lower(treatment_type), {_FOLDED}, outcome_class)"
_NAME = "'(unknown)'"

GOLD = {
    "dim_dates": f"""select distinct cast(strftime(day, '%Y%m%d') as int) as date_sk, day,
            dayofweek(day) as day_of_week, month(day) as month, quarter(day) as quarter,
            year(day) as year, dayofweek(day) in (0, 6) as is_weekend
        from (select unnest([{", ".join(f"cast({c} as date)" for c in _TIMES)}]) as day from treatments)
        where day is not null union all select -1, null, null, null, null, null, null""",
    "dim_times": """select range as time_sk, range // 3600 as hours, range // 60 % 60 as minutes, range % 60 as seconds
        from range(86400) union all select -1, null, null, null""",
    "dim_types": f"""select hash({_TYPE}) >> 1 as type_sk, any_value(treatment_type) as type,
            any_value(treatment_outcome_status) as status, any_value(outcome_class) as outcome_class
        from treatments group by all union all select -1, {_NAME}, {_NAME}, 'unknown'""",
    "dim_locations": _dimension(
        "location_id", "location_country as country, location_state as state, location_city as city",
        f"{_NAME}, {_NAME}, {_NAME}",
    ),
    "dim_specialities": f"""select speciality_id, coalesce(any_value(name), {_NAME}) as name from (
            select provider_speciality_id as speciality_id, provider_speciality_name as name from treatments
            union all select disease_speciality_id, disease_speciality_name from treatments)
        where speciality_id is not null group by 1 union all select -1, {_NAME}""",
    "dim_providers": _dimension(
        "provider_id",
        """provider_full_name as full_name, provider_affiliated_hospital as hospital,
        coalesce(provider_speciality_id, -1) as speciality_id""",
        f"{_NAME}, {_NAME}, -1",
    ),
    "dim_patients": _dimension(
        "patient_id", "patient_full_name as full_name, patient_gender as gender", f"{_NAME}, {_NAME}"
    ),
    "dim_diseases": _dimension(
        "disease_id",
        """disease_name as name, disease_type as type, disease_severity as severity,
        disease_transmission_mode as transmission_mode, disease_mortality_rate as mortality_rate,
        coalesce(disease_speciality_id, -1) as speciality_id""",
        f"{_NAME}, {_NAME}, {_NAME}, {_NAME}, null, -1",
    ),
    "fact": f"""select treatment_id, hash({_TYPE}) >> 1 as type_sk, {", ".join(
        f"coalesce({c}, -1) as {c}"
        for c in ("location_id", "provider_speciality_id", "provider_id", "patient_id", "disease_id")
        )}, {", ".join(
        f"coalesce(cast(strftime({c}, '%Y%m%d') as int), -1) as {c}_sk, "
        f"coalesce(hour({c}) * 3600 + minute({c}) * 60 + second({c}), -1) as {c}_time_sk" for c in _TIMES
        )}, treatment_duration_in_days as duration_in_days, treatment_cost as cost, patient_age from treatments""",
}  # fmt: skip
"""The star schema. Numbers of the source are keys; kind and outcome are hashed."""

_RATES = """count(*) as total_treatments, count(*) filter (outcome_class in ('success', 'failure')) as decided,
    count(*) filter (outcome_class = 'success') as successes"""
_RATE = "if(decided > 0, successes / decided, null) as success_rate"
_RANK = """case when {by} is not null and provider_id <> -1
    then rank() over (partition by {by} is not null and provider_id <> -1 order by {by} desc) end as rank"""

TABLES = {
    "provider_treatment_rank": f"""select *, {_RANK.format(by="total_treatments")} from (
        select provider_id, full_name, count(*) as total_treatments from fact join dim_providers using (provider_id)
        group by all)""",
    "summary_provider_success_rates": f"""select *, {_RATE} from (
        select provider_id, full_name, {_RATES} from fact join dim_providers using (provider_id)
        join dim_types using (type_sk) group by all)""",
    "provider_success_rate_rank": f"""select *, {_RANK.format(by="success_rate")}, decided < 30 as is_small_n
        from summary_provider_success_rates""",
    "monthly_treatment_trends": f"""select year, month, make_date(year, month, 1) as month_start,
            * exclude (year, month), {_RATE}, total_treatments - decided <= 0.01 * total_treatments as is_mature
        from (select year, month, {_RATES}, count(*) filter (outcome_class = 'open') as open
            from fact join dim_dates on date_sk = treatment_start_date_sk join dim_types using (type_sk)
            group by all)""",
    "summary_total_treatments_per_city": """select country, state, city, count(*) as total_treatments
        from fact join dim_locations using (location_id) group by all""",
    "geographical_treatment_distribution": """select *, total_treatments / sum(total_treatments) over () as share
        from summary_total_treatments_per_city""",
    "summary_avg_treatment_cost": """select *, cast(total_cost as double) / n_with_cost as avg_treatment_cost from (
        select provider_id, full_name, count(*) as total_treatments, count(cost) as n_with_cost,
        sum(cost) as total_cost from fact join dim_providers using (provider_id) group by all)""",
}
"""The seven tables."""


def build(archive: Path, out: Path) -> dict[str, float]:
    """Builds bronze, silver and gold as Parquet files; seconds of wall and of CPU per layer."""
    clock, options = Clock(), "(format parquet, compression zstd)"
    with zipfile.ZipFile(archive) as export:
        export.extractall(out, [name for name in export.namelist() if "/data/" in name])
    clock.lap("unpacking")
    layers = {
        "bronze": {"items": f"""select {_COLUMNS} from read_json('{out}/**/data/*.json.gz', format='newline_delimited',
            columns={{Item: '{_type(_MAPS)}'}})"""},
        "silver": SILVER,
        "gold": {**GOLD, **TABLES},
    }  # fmt: skip
    with duckdb.connect() as db:
        db.execute("set threads to 2; set preserve_insertion_order = false; set timezone = 'UTC'")
        for layer, queries in layers.items():
            for name, query in queries.items():
                db.execute(f"copy ({query}) to '{out}/{name}.parquet' {options}")
                db.execute(f"create view {name} as from '{out}/{name}.parquet'")
            clock.lap(layer)
    return clock.laps


def _type(of: str | dict[str, dict[str, object]]) -> str:
    """DuckDB's name of a structure."""
    if isinstance(of, str):
        return of
    return f"STRUCT({', '.join(f'{name!r} {_type(inner)}' for name, inner in of.items())})".replace("'", '"')


if __name__ == "__main__":
    told(build, *sys.argv[1:])
