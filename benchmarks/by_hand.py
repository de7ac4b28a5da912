"""The same tables from the same files with DuckDB, written by hand, without any check, lineage or commit.

This is the yardstick: what a good engineer would write for one quarter in an afternoon. It takes the dimensions as
given: ``python -m benchmarks.by_hand FILE LAKE OUT`` reads them from a lake, and prints seconds per layer as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb

from benchmarks.clock import Clock
from nh_pipeline.datasets.cms.daily_nurse_staffing import ROLLUPS
from nh_pipeline.datasets.cms.medicare_claims import DIM_CLAIMS, MEASURES
from nh_pipeline.datasets.cms.providers import DIM_PROVIDERS
from nh_pipeline.datasets.headers import canonical_header
from nh_pipeline.lake.lake import Lake
from nh_pipeline.marts.facility_measures import FACILITY_MEASURES, HPRD, PROVIDER_COLUMNS
from nh_pipeline_tests.support.declared import DATASETS, HOUR_COLUMNS, STAFF_GROUPS


def build(csv: Path, providers: list[str], claims: list[str], out: Path) -> dict[str, float]:
    """Builds bronze, silver and gold as Parquet files.

    Args:
        csv: the quarter's CSV.
        providers: Parquet files of dim_providers.
        claims: Parquet files of dim_claims.
        out: an empty folder.

    Returns:
        Seconds per layer, of the wall and of CPU.
    """
    with csv.open(encoding="cp1252") as stream:
        header = canonical_header(DATASETS["daily_nurse_staffing"], stream.readline().strip().split(","))
    names = [name or f"extra_{i}" for i, name in enumerate(header.columns)]
    with duckdb.connect() as db:
        db.execute("set threads to 2; set preserve_insertion_order = false")
        clock = Clock()
        recoded = out / "utf8.csv"  # DuckDB does not read Windows-1252
        with csv.open("rb") as source, recoded.open("wb") as target:
            while chunk := source.read(1 << 24):
                target.write(chunk if chunk.isascii() else chunk.decode("cp1252").encode())
        db.execute(
            f"""copy (select * from read_csv('{recoded}', header=true, all_varchar=true, names={names}))
            to '{out}/bronze.parquet' (format parquet, compression zstd)"""
        )
        clock.lap("bronze")
        db.execute(_silver(out))
        clock.lap("silver")
        db.execute(_gold(out, providers, claims))
        clock.lap("gold")
    return clock.laps


def _silver(out: Path) -> str:
    hours = ", ".join(f"try_cast({c} as decimal(9,2)) as {c}" for c in HOUR_COLUMNS)
    sums = {name: " + ".join(f"hrs_{job}" for job in jobs) for name, (_, jobs) in ROLLUPS.items()}
    added = ", ".join(f"cast({sql} as decimal(11,2)) as {name}" for name, sql in sums.items())
    off = " or ".join(f"abs(hrs_{g} - hrs_{g}_emp - hrs_{g}_ctr) > 0.01" for g in STAFF_GROUPS)
    return f"""
        copy (
            with typed as (
                select upper(trim(provider_id)) as provider_id,
                       cast(strptime(work_date, '%Y%m%d') as date) as work_date,
                       cy_qtr, state, try_cast(census as int) as census, {hours}
                from '{out}/bronze.parquet'),
            summed as (select *, {added} from typed)
            select *, census = 0 as is_zero_census, census > 0 and total_hours = 0 as is_missing_hours,
                   census > 0 and total_hours > 24 * census as is_implausible_hours, {off} as is_unbalanced,
                   false as is_incomplete,
                   strftime(work_date, '%Y-%m') as month
            from summed order by provider_id, work_date
        ) to '{out}/silver' (format parquet, compression zstd, partition_by (month), overwrite_or_ignore)"""


def _gold(out: Path, providers: list[str], claims: list[str]) -> str:
    rates = ", ".join(f"case when census > 0 then {h}::double / census end as {name}" for name, h in HPRD.items())
    attributes = ", ".join(f"p.{c}" for c in PROVIDER_COLUMNS)
    measures = ", ".join(f"max(adjusted_score) filter (measure_code = '{c}') as {n}" for c, n in MEASURES.items())
    kept = ", ".join(f"f.{c}" for c in FACILITY_MEASURES.names if c in ROLLUPS or c[:3] == "is_")
    first = (
        "case when row_number() over (partition by {} order by valid_from) = 1 "
        "then date '0001-01-01' else valid_from end"
    )
    return f"""
        copy (
            with p as (select *, {first.format("provider_id")} as f, coalesce(valid_to, date '9999-12-31') as t
                       from read_parquet({providers})),
            c0 as (select *, {first.format("provider_id, measure_code")} as f,
                          coalesce(valid_to, date '9999-12-31') as t from read_parquet({claims})),
            cuts as (select provider_id, f as cut from c0 union select provider_id, t from c0),
            spans as (select provider_id, cut as f, lead(cut) over (partition by provider_id order by cut) as t
                      from cuts),
            c as (select s.provider_id, s.f, s.t, max(c0.valid_from) as since, {measures}
                  from spans s join c0 on c0.provider_id = s.provider_id and c0.f <= s.f and s.f < c0.t group by all)
            select f.provider_id, f.work_date, f.cy_qtr, coalesce(p.state, f.state) as state, f.census, {kept},
                   {rates}, {attributes},
                   case when total_hours > 0 then contract_hours::double / total_hours::double end as contract_share,
                   case when certified_beds > 0 then census::double / certified_beds end as occupancy_rate,
                   c.* exclude (provider_id, f, t, since),
                   case when p.provider_id is null then 'unknown' when f.work_date < p.valid_from then 'earliest'
                        else 'as_of' end as provider_match,
                   case when c.provider_id is null then 'unknown' when f.work_date < c.since then 'earliest'
                        else 'as_of' end as claims_match, p.valid_from as provider_valid_from, f.month
            from read_parquet('{out}/silver/*/*.parquet', hive_partitioning=true) f
            left join p on p.provider_id = f.provider_id and f.work_date >= p.f and f.work_date < p.t
            left join c on c.provider_id = f.provider_id and f.work_date >= c.f and f.work_date < c.t
            order by f.provider_id, f.work_date
        ) to '{out}/gold' (format parquet, compression zstd, partition_by (month), overwrite_or_ignore)"""


def main(csv: str, root: str, out: str) -> None:
    """One quarter into a new folder."""
    lake, folder = Lake(root), Path(out)
    folder.mkdir()
    providers, claims = ([lake.readable(p) for p in lake.snapshot(c).paths] for c in (DIM_PROVIDERS, DIM_CLAIMS))
    sys.stdout.write(json.dumps(build(Path(csv), providers, claims, folder)))


if __name__ == "__main__":
    main(*sys.argv[1:])
