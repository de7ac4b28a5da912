"""Advisory checks: they look at published tables and warn; they stop nothing.

Each counts, shows at most 20 rows and says what to do. Those of days look at the days of the run that they are part
of, or at the whole table when run alone. They query the pinned Parquet files with DuckDB: no engine is needed.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta, timezone
from functools import cache
from typing import TypeAlias

import dagster as dg
import pandas as pd

from nh_pipeline import datasets
from nh_pipeline.lake.duck import reading
from nh_pipeline.lake.lake import Lake
from nh_pipeline.lake.snapshots import TableSnapshot
from nh_pipeline.model.dataset import Dataset
from nh_pipeline.model.kinds import Calendar, Daily
from nh_pipeline.model.mart import Mart
from nh_pipeline.model.table import REJECTS, Table
from nh_pipeline.model.view import Export, Exported
from nh_pipeline.orchestration.events import advisory
from nh_pipeline.orchestration.partitions import RANGE_END, RANGE_START, partitions_of
from nh_pipeline.orchestration.parts import asset_key
from nh_pipeline.orchestration.resources import LakeResource
from nh_pipeline.periods import months
from nh_pipeline.pipeline.deliveries import look
from nh_pipeline.pipeline.exports import look as look_at_exports
from nh_pipeline.pipeline.gate import SAMPLE_ROWS
from nh_pipeline.tables import gold, silver, tables

FRESH, GAVE_UP = "newest_is_fresh", "no_build_gave_up"

LARGEST_SWING = 0.05
"""Share by which the number of facilities of a day may differ from that of the day before."""

Days: TypeAlias = tuple[date, date] | None
"""The days of the run; None for everything."""

Found: TypeAlias = tuple[list[dict[str, str]], str, str]
"""What breaks a check, what was looked at, and what to do."""


def _check(
    of: Table,
    name: str,
    description: str,
    looked: Callable[[LakeResource, Days], Found],
    after: Sequence[dg.AssetKey] = (),
) -> dg.AssetChecksDefinition:
    @dg.asset_check(name=name, asset=asset_key(of), additional_deps=after, description=description)
    def _made(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
        days = [date.fromisoformat(context.run.tags[t]) for t in (RANGE_START, RANGE_END) if t in context.run.tags]
        return advisory(name, of, *looked(lake, (days[0], days[1]) if days else None))

    return _made


def _only(snapshot: TableSnapshot, days: Days) -> TableSnapshot:
    return snapshot.only(snapshot.present & set(months(*days))) if days else snapshot


def _rows(lake: Lake, of: Table, sql: str, days: Days, day: str) -> list[dict[str, str]]:
    """Runs SQL over a table (``t``), cut to the months and days of a range of days."""
    inside = f"where {day} between '{days[0]}' and '{days[1]}'" if days else ""
    with reading(lake, {"files": (of, _only(lake.snapshot(of), days))}) as db:
        found = db.execute(f"with t as (select * from files {inside}) {sql}")
        names = [c[0] for c in found.description or ()]
        return [dict(zip(names, map(str, row), strict=True)) for row in found.fetchall()]


@cache
def _dates(of: Table, dataset: Dataset) -> dg.AssetChecksDefinition:
    day = str(dataset.day)

    def looked(lake: LakeResource, days: Days) -> Found:
        """Compares the days that have rows with the days that landed deliveries cover, both ways."""
        found = _rows(lake.lake, of, f"select distinct {day} as day from t", days, day)
        present = {date.fromisoformat(r["day"]) for r in found}
        expected: set[date] = set()
        for delivery in lake.zone.deliveries(dataset.name):
            first, last = delivery.manifest.coverage.start, delivery.manifest.coverage.end
            if first and last:
                covered = (first + timedelta(days=i) for i in range((last - first).days + 1))
                expected |= {d for d in covered if days is None or days[0] <= d <= days[1]}
        broken = [{day: str(d), "found": "no rows"} for d in sorted(expected - present)]
        broken += [{day: str(d), "found": "rows, but no delivery covers the day"} for d in sorted(present - expected)]
        advice = "materialize the missing days, or look at bronze.rejects for their lines"
        return broken, f"{len(present)} days with rows, {len(expected)} delivered", advice

    return _check(of, "dates_complete", "Every day of a delivered quarter has rows.", looked)


@cache
def _facilities(of: Table, dataset: Dataset) -> dg.AssetChecksDefinition:
    def looked(lake: LakeResource, days: Days) -> Found:
        """Within a quarter a facility reports every day, so that a swing of 5 % means missing lines."""
        day = str(dataset.day)
        quarter = f"date_trunc('quarter', {day})"
        sql = f"""
            , daily as (select {quarter} as quarter, {day}, count(*) as facilities from t group by all),
            beside as (select *, lag(facilities) over (partition by quarter order by {day}) as day_before from daily)
            select * from beside where abs(facilities - day_before) > {LARGEST_SWING} * day_before order by {day}"""
        advice = "compare with the delivery: lines may have been refused (bronze.rejects) or were never in the file"
        return _rows(lake.lake, of, sql, days, day), "facilities per day, day over day", advice

    told = "The number of facilities does not jump from one day to the next."
    return _check(of, "facilities_per_day_stable", told, looked)


@cache
def _foreign_key(of: Table, column: str, other: Table, key: str) -> dg.AssetChecksDefinition:
    name, target = other.name, f"{other.name}.{key}"
    # In a run of both, after both; where they have no partitions in common, they are not in one run.
    after = [asset_key(other)] if partitions_of(of) is None and partitions_of(other) is None else []

    def looked(lake: LakeResource, days: Days) -> Found:
        snapshots = lake.lake.snapshot(of), lake.lake.snapshot(other)
        mine = _only(snapshots[0], days) if of.partitioning.monthly else snapshots[0]
        sql = f"""select mine.{column}, count(*) as rows from mine anti join other on mine.{column} = other.{key}
            where mine.{column} is not null group by all order by all"""
        with reading(lake.lake, {"mine": (of, mine), "other": (other, snapshots[1])}) as db:
            broken = [{column: str(value), "rows": f"{rows:,}"} for value, rows in db.execute(sql).fetchall()]
        advice = f"usual for a few; for many, deliver what {name} is made of for that time"
        return broken, f"values unknown to {target}: {len(broken)}", advice

    told = f"Every {column} is in {target}. Others are counted, never dropped."
    return _check(of, f"known_{column}", told, looked, after)


@cache
def _headers(of: Table, dataset: Dataset) -> dg.AssetChecksDefinition:
    def looked(lake: LakeResource, _: Days) -> Found:
        advice = (
            "if CMS has renamed the column, add the cell to its labels in nh_pipeline/datasets: the files are then "
            "read again; if the file was changed on its way, deliver it as CMS publishes it"
        )
        broken = [{"found": text} for text in look(lake.lake, lake.zone, dataset).drift]
        return broken, "headers of the deliveries that count", advice

    return _check(of, "headers_known", "No known column is away beside a header cell that nobody knows.", looked)


@cache
def _contents(of: Table, export: Export) -> dg.AssetChecksDefinition:
    def looked(lake: LakeResource, _: Days) -> Found:
        advice = (
            "what is unknown is kept, and in no column; add it to nh_pipeline/datasets if it is wanted. For what is "
            "lacking, ask who exports: the columns go on empty"
        )
        broken = [{"found": text} for text in look_at_exports(lake.lake, lake.zone, export).drift]
        return broken, "contents of the deliveries that count", advice

    told = "Nothing is delivered that nobody knows, and nothing is away that was there."
    return _check(of, "contents_known", told, looked)


@cache
def _fresh(of: Table, dataset: Dataset) -> dg.AssetChecksDefinition:
    def looked(lake: LakeResource, _: Days) -> Found:
        found = look(lake.lake, lake.zone, dataset)
        counting = {d.delivery_id: d.manifest.coverage.end for d in found.landed}
        last = max((day for i in found.effective if (day := counting.get(i))), default=None)
        today = datetime.now(tz=timezone.utc).date()
        late = last is not None and (today - last).days > dataset.late_after
        broken = [{"newest": str(last), "today": str(today), "days": str((today - last).days)}] if late and last else []
        advice = f"look whether CMS has published a newer {dataset.title}, and deliver it"
        return broken, f"the newest one covers {last or 'no day'}", advice

    told = f"The newest delivery that counts covers a day less than {dataset.late_after} days ago."
    return _check(of, FRESH, told, looked)


@cache
def _gave_up(of: Table) -> dg.AssetChecksDefinition:
    told = "No build of it has failed so often that the automation tries it but rarely. Fails until a build succeeds."
    return _check(of, GAVE_UP, told, lambda _lake, _days: ([], "it was built", ""))


@cache
def _complete(of: Table) -> dg.AssetChecksDefinition:
    first = of.kind.inputs[0]

    def looked(lake: LakeResource, days: Days) -> Found:
        mine, theirs = (_only(lake.lake.snapshot(t), days) for t in (of, first))
        broken = [{"month": m, "found": "no rows"} for m in sorted(theirs.present - mine.present)]
        broken += [{"month": m, "found": f"rows, but {first.name} has none"} for m in mine.present - theirs.present]
        if of.kind.conserves == (("count(1)", "count(1)"),):
            counts = [(m, theirs.only([m]).rows, mine.only([m]).rows) for m in sorted(theirs.present & mine.present)]
            broken += [{"month": m, "found": f"{b:,} rows, {a:,} in {first.name}"} for m, a, b in counts if a != b]
        told = f"{len(theirs.present)} months, {theirs.rows:,} rows of {first.name}"
        return broken, told, f"materialize {of.name} for these months"

    return _check(of, "months_complete", f"It has rows of every month that {first.name} has.", looked)


@cache
def _as_declared(of: Table) -> dg.AssetChecksDefinition:
    def looked(lake: LakeResource, _: Days) -> Found:
        """Small tables alone: the rows go through memory."""
        from pandera.errors import SchemaErrors  # noqa: PLC0415 (heavy)

        broken: list[dict[str, str]] = []
        with reading(lake.lake, {"t": (of, lake.lake.snapshot(of))}) as db:
            rows = db.sql("select * from t").to_arrow_table().cast(of.arrow)
        try:
            of.pandera().validate(rows.to_pandas(types_mapper=pd.ArrowDtype), lazy=True)
        except SchemaErrors as errors:
            broken = errors.failure_cases.head(SAMPLE_ROWS).astype(str).to_dict("records")
        return broken, f"{rows.num_rows:,} rows", "look at the transform, or at who wrote the files"

    return _check(of, "pandera", "All of it keeps to its pandera schema, read back from the lake.", looked)


def checks(*, by_the_clock: bool = True) -> list[dg.AssetChecksDefinition]:
    """All advisory checks, with those that only the clock starts or without."""
    # Of an export, one table stands for all, which one build makes.
    alone = (of for of in tables() if not isinstance(of.kind, Exported) or of.kind.leads)
    found = [_gave_up(of) for of in alone if of is not REJECTS]
    found += [_contents(export.leading, export) for export in datasets.exports()]
    for of in silver():
        dataset = datasets.dataset(of.dataset) if of.dataset else None
        if dataset is not None:
            found += [_headers(of, dataset), *([_fresh(of, dataset)] if by_the_clock else [])]
            found += [_dates(of, dataset), _facilities(of, dataset)] if isinstance(of.kind, Daily) else []
        if isinstance(of.kind, Calendar):
            found.append(_as_declared(of))
    found += [_complete(of) for of in gold() if isinstance(of.kind, Mart) and of.kind.month and of.kind.conserves]
    known = {of.name: of for of in tables()}
    for of in (*silver(), *gold()):
        told = {key for source in of.kind.inputs for key in source.foreign_keys} if isinstance(of.kind, Mart) else set()
        for column, target in of.foreign_keys:
            name, _, key = target.rpartition(".")
            if name in known and (column, target) not in told:  # what its input has told of, it need not
                found.append(_foreign_key(of, column, known[name], key))
    return found
