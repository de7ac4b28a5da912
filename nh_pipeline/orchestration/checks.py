"""Advisory checks: they look at published tables and warn; they stop nothing.

Each counts, shows at most 20 rows and says what to do. Daily ones look at the days of the run that they are part
of, or at the whole table when run alone. They query the pinned Parquet files with DuckDB: no engine is needed.
"""

from datetime import date, timedelta

import dagster as dg

from nh_pipeline.contracts.base import Contract
from nh_pipeline.contracts.gold import FACILITY_MEASURES
from nh_pipeline.contracts.silver import DIM_CLAIMS, DIM_PROVIDERS, FCT_STAFFING_LEVELS
from nh_pipeline.lake.duck import reading
from nh_pipeline.lake.lake import Lake
from nh_pipeline.orchestration.events import asset_key, check_result
from nh_pipeline.orchestration.partitions import RANGE_END, RANGE_START
from nh_pipeline.orchestration.resources import LakeResource
from nh_pipeline.periods import FIRST_WORK_DATE, months
from nh_pipeline.pipeline.deliveries import drift, parsed, standings
from nh_pipeline.pipeline.gate import SAMPLE_ROWS, CheckResult

LARGEST_SWING = 0.05
"""Share by which the number of facilities of a day may differ from that of the day before."""

_FCT, _GOLD = asset_key(FCT_STAFFING_LEVELS), asset_key(FACILITY_MEASURES)
_PROVIDERS, _CLAIMS = asset_key(DIM_PROVIDERS), asset_key(DIM_CLAIMS)


def _extent(context: dg.AssetCheckExecutionContext) -> tuple[date, date]:
    """The days of the run, or everything."""
    tags = context.run.tags
    if RANGE_START in tags:
        return date.fromisoformat(tags[RANGE_START]), date.fromisoformat(tags[RANGE_END])
    return FIRST_WORK_DATE, date.max


def _rows(lake: Lake, contract: Contract, sql: str, extent: tuple[date, date] | None = None) -> list[dict[str, str]]:
    """Runs SQL over a table (``t``), cut to the months and days of the extent."""
    pin = lake.pin(contract)
    if extent is not None:
        last = min(extent[1], date(9999, 1, 1))
        pin = pin.only(pin.present & set(months(extent[0], last)))
    days = f"where work_date between '{extent[0]}' and '{extent[1]}'" if extent else ""
    with reading(lake, {"files": (contract, pin)}) as db:
        found = db.execute(f"with t as (select * from files {days}) {sql}")
        names = [c[0] for c in found.description or ()]
        return [dict(zip(names, map(str, row), strict=True)) for row in found.fetchall()]


def _warn(
    name: str, key: dg.AssetKey, broken: list[dict[str, str]], description: str, advice: str
) -> dg.AssetCheckResult:
    return check_result(
        CheckResult(
            name=name,
            passed=not broken,
            blocking=False,
            failed_rows=len(broken),
            description=description,
            advice=advice if broken else "",
            sample=broken[:SAMPLE_ROWS],
        ),
        key,
    )


@dg.asset_check(asset=_FCT, description="Every day of a delivered quarter has rows.")
def dates_complete(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """Compares the days that have rows with the days that landed deliveries cover, both ways."""
    start, end = _extent(context)
    present = {
        date.fromisoformat(r["work_date"])
        for r in _rows(lake.lake, FCT_STAFFING_LEVELS, "select distinct work_date from t", (start, end))
    }
    expected: set[date] = set()
    for delivery in lake.zone.deliveries("daily_nurse_staffing"):
        first, last = delivery.manifest.coverage.start, delivery.manifest.coverage.end
        if first and last:
            days = (first + timedelta(days=i) for i in range((last - first).days + 1))
            expected |= {d for d in days if start <= d <= end}
    broken = [{"work_date": str(d), "found": "no rows"} for d in sorted(expected - present)]
    broken += [
        {"work_date": str(d), "found": "rows, but no delivery covers the day"} for d in sorted(present - expected)
    ]
    advice = "materialize the missing days, or look at bronze.rejects for their lines"
    return _warn("dates_complete", _FCT, broken, f"{len(present)} days with rows, {len(expected)} delivered", advice)


@dg.asset_check(asset=_FCT, description="The number of facilities does not jump from one day to the next.")
def facilities_per_day_stable(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """Within a quarter a facility reports every day, so that a swing of 5 % means missing lines."""
    sql = f"""
        , daily as (select cy_qtr, work_date, count(*) as facilities from t group by all),
        beside as (select *, lag(facilities) over (partition by cy_qtr order by work_date) as day_before from daily)
        select * from beside where abs(facilities - day_before) > {LARGEST_SWING} * day_before order by work_date"""
    broken = _rows(lake.lake, FCT_STAFFING_LEVELS, sql, _extent(context))
    advice = "compare with the delivery: lines may have been refused (bronze.rejects) or were never in the file"
    return _warn("facilities_per_day_stable", _FCT, broken, "facilities per day, day over day", advice)


@dg.asset_check(asset=_GOLD, description="CCNs that provider information does not know: counted, never dropped.")
def unknown_providers(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """Lists providers whose rows carry no provider attributes."""
    sql = """select provider_id, count(*) as days, min(work_date) as first_day, max(work_date) as last_day from t
        where provider_match = 'unknown' group by all order by provider_id"""
    broken = _rows(lake.lake, FACILITY_MEASURES, sql, _extent(context))
    advice = "usual for a few; for many, deliver the provider information of that time"
    return _warn("unknown_providers", _GOLD, broken, f"CCNs unknown to dim_providers: {len(broken)}", advice)


@dg.asset_check(asset=_GOLD, description="Gold has one row per fact row.")
def as_many_rows_as_facts(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """Compares the tables' own row counts, month by month; reads no data."""
    start, end = _extent(context)
    facts, gold = lake.lake.pin(FCT_STAFFING_LEVELS), lake.lake.pin(FACILITY_MEASURES)
    wanted = (facts.present | gold.present) & set(months(start, min(end, date(9999, 1, 1))))
    counts = [(m, facts.only([m]).rows, gold.only([m]).rows) for m in sorted(wanted)]
    broken = [{"month": m, "facts": str(a), "gold": str(b)} for m, a, b in counts if a != b]
    advice = "materialize gold/facility_measures for these months"
    return _warn("as_many_rows_as_facts", _GOLD, broken, f"{sum(a for _, a, _ in counts):,} fact rows", advice)


@dg.asset_check(
    asset=_CLAIMS,
    additional_deps=[_PROVIDERS],  # in a run of both dimensions, after both
    description="Providers with claims measures that provider information does not know.",
)
def unknown_claims_providers(lake: LakeResource) -> dg.AssetCheckResult:
    """Counts keys of dim_claims that dim_providers lacks."""
    known = {r["provider_id"] for r in _rows(lake.lake, DIM_PROVIDERS, "select distinct provider_id from t")}
    rows = _rows(lake.lake, DIM_CLAIMS, "select distinct provider_id from t order by provider_id")
    broken = [r for r in rows if r["provider_id"] not in known]
    advice = "deliver the provider information of the same month"
    return _warn("unknown_claims_providers", _CLAIMS, broken, f"{len(rows):,} providers with claims measures", advice)


def _headers(dataset: str, key: dg.AssetKey) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        name="headers_known", asset=key, description="No known column is away beside a header cell that nobody knows."
    )
    def _check(lake: LakeResource) -> dg.AssetCheckResult:
        found = standings(lake.lake, lake.zone, dataset)
        broken = [{"found": text} for text in drift(dataset, found, parsed(lake.lake, dataset))]
        advice = (
            "if CMS has renamed the column, add the cell to its spellings in nh_pipeline/contracts/raw_columns.py: the "
            "files are then read again; if the file was changed on its way, deliver it as CMS publishes it"
        )
        return _warn("headers_known", key, broken, "headers of the deliveries that count", advice)

    return _check


_KEYS = {"daily_nurse_staffing": _FCT, "providers": _PROVIDERS, "medicare_claims": _CLAIMS}

ADVISORY_CHECKS = [
    dates_complete,
    facilities_per_day_stable,
    unknown_providers,
    as_many_rows_as_facts,
    unknown_claims_providers,
    *(_headers(dataset, key) for dataset, key in _KEYS.items()),
]
