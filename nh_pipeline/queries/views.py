"""Views for people who report: friendly columns, roll-ups, as-of joins; never a mean of ratios.

Each view is written once, in DuckDB's dialect, with columns from the tables. :func:`ddl` prints them for an engine.
Views hold no rows and no rules: what a figure means is the business of the tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.daily_nurse_staffing import FLAGS, ROLLUPS
from nh_pipeline.datasets.cms.medicare_claims import MEASURES
from nh_pipeline.datasets.cms.providers import DIM_PROVIDERS
from nh_pipeline.marts.facility_measures import FACILITY_MEASURES, HPRD, PROVIDER_COLUMNS
from nh_pipeline.queries.claim_views import CLAIM_VIEWS
from nh_pipeline.queries.outcome_views import OUTCOME_VIEWS
from nh_pipeline.queries.view import DATABASES, SCHEMA, View
from nh_pipeline.tables import tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


ENGINES = ("athena", "duckdb", "postgres", "redshift", "snowflake")
"""Those in whose dialects the views are printed."""


class MissingExtraError(Exception):
    """A library of an extra is not installed; the message says which to install."""


_RENAMED = {"provider_id": "ccn", "provider_name": "facility", "census": "residents"}


def _columns(names: Iterable[str], table: str) -> str:
    return ", ".join(f"{table}.{n} as {_RENAMED[n]}" if n in _RENAMED else f"{table}.{n}" for n in names)


_CALENDAR = (
    "d.year, d.quarter, cast(date_trunc('month', m.work_date) as date) as month_start, d.iso_week, d.day_of_week, "
    "d.is_weekend"
)

FACILITY_DAY = View(
    f"{SCHEMA}.facility_day",
    "One row per nursing home and day: gold.facility_measures with the calendar beside it.",
    f"""
    select {_columns(FACILITY_MEASURES.names, "m")}, {_CALENDAR}
    from gold.facility_measures as m
    left join silver.dim_date as d on d."date" = m.work_date
    """,
)

# Ratios of sums, as doubles: decimal quotients differ between engines. Days without residents have no HPRD, but hours.
_HOURS = ", ".join(f"sum({hours}) as {hours}" for hours in ROLLUPS)
_RATIOS = ", ".join(
    f"cast(sum(case when residents > 0{only} then {hours} end) as double) "
    f"/ nullif(sum(case when residents > 0{only} then residents end), 0) as {hprd}{suffix}"
    for only, suffix, columns in (("", "", HPRD), (" and is_weekend", "_weekend", {"hprd_total": HPRD["hprd_total"]}))
    for hprd, hours in columns.items()
)
_ROLLED_UP = f"""
    count(*) as days_reported,
    sum(residents) as resident_days,
    {_HOURS},
    {_RATIOS},
    cast(sum(contract_hours) as double) / nullif(cast(sum(total_hours) as double), 0) as contract_share,
    cast(sum(case when certified_beds > 0 then residents end) as double)
        / nullif(sum(case when certified_beds > 0 then certified_beds end), 0) as occupancy_rate,
    sum(case when residents > 0 and rn_hours = 0 then 1 else 0 end) as days_without_rn,
    sum(case when residents > 0 and rn_hours < 8 then 1 else 0 end) as days_below_8_rn_hours,
    {", ".join(f"sum(case when {flag} then 1 else 0 end) as days_{flag.removeprefix('is_')}" for flag in FLAGS)}
"""


def _per_facility(period: str, title: str) -> View:
    """A roll-up per nursing home, with its attributes as of the last day of the period that is known."""
    return View(
        f"{SCHEMA}.facility_{title}",
        f"One row per nursing home and {title}: sums and ratios of sums, with the attributes of its last day.",
        f"""
        with rolled_up as (
            select ccn, {period}, max(state) as state, max(work_date) as last_day,
                max(provider_valid_from) as provider_valid_from, {_ROLLED_UP}
            from {FACILITY_DAY.name} group by ccn, {period})
        select r.*, {_columns(PROVIDER_COLUMNS, "p")}
        from rolled_up as r
        left join silver.dim_providers as p on p.provider_id = r.ccn and p.valid_from = r.provider_valid_from
        """,
    )


FACILITY_MONTH = _per_facility("month_start", "month")
FACILITY_QUARTER = _per_facility("cy_qtr", "quarter")

CHAIN_MONTH = View(
    f"{SCHEMA}.chain_month",
    "One row per chain and month; a nursing home counts for the chain that it belonged to on the day.",
    f"""
    select chain_id, max(chain_name) as chain_name, month_start, count(distinct ccn) as facilities, {_ROLLED_UP}
    from {FACILITY_DAY.name} where chain_id is not null group by chain_id, month_start
    """,
)

STATE_MONTH = View(
    f"{SCHEMA}.state_month",
    "One row per state and month.",
    f"""
    select state, month_start, count(distinct ccn) as facilities, {_ROLLED_UP}
    from {FACILITY_DAY.name} group by state, month_start
    """,
)

DAYS_WITHOUT_RN = View(
    f"{SCHEMA}.days_without_rn",
    "One row per nursing home and day with residents and no hours of registered nurses.",
    f"""
    select ccn, facility, city, state, chain_name, work_date, is_weekend, residents, total_hours, lpn_hours, aide_hours
    from {FACILITY_DAY.name} where residents > 0 and rn_hours = 0
    """,
)

CURRENT_PROVIDERS = View(
    f"{SCHEMA}.current_providers",
    "One row per nursing home of the latest release, as it is there.",
    f"""
    select {_columns((c for c in DIM_PROVIDERS.names if c in (*DIM_PROVIDERS.grain, *DIM_PROVIDERS.kind.tracked)), "p")}
    from silver.dim_providers as p where p.is_current
    """,
)

_MEASURE = " ".join(f"when '{code}' then '{name}'" for code, name in MEASURES.items())

CLAIMS_QUARTER = View(
    f"{SCHEMA}.claims_quarter",
    "One row per nursing home, quarter and claims measure: the quarter's staffing beside the score that was valid on "
    "the quarter's last reported day, or, before the first one, beside the earliest (lower is better).",
    f"""
    with scores as (
        select c.*, min(valid_from) over (partition by provider_id, measure_code) as first_from
        from silver.dim_claims as c)
    select
        q.ccn, q.facility, q.state, q.chain_name, q.cy_qtr, {_columns(HPRD, "q")}, q.contract_share, s.measure_code,
        case s.measure_code {_MEASURE} end as measure, s.adjusted_score, s.observed_score, s.expected_score,
        s.footnote, s.measure_period, s.valid_from as score_valid_from,
        case when q.last_day < s.first_from then 'earliest' else 'as_of' end as claims_match
    from {FACILITY_QUARTER.name} as q
    join scores as s on s.provider_id = q.ccn and (
        (s.valid_from <= q.last_day and (s.valid_to is null or q.last_day < s.valid_to))
        or (q.last_day < s.first_from and s.valid_from = s.first_from))
    """,
)

VIEWS = (
    FACILITY_DAY,
    FACILITY_MONTH,
    FACILITY_QUARTER,
    CHAIN_MONTH,
    STATE_MONTH,
    DAYS_WITHOUT_RN,
    CURRENT_PROVIDERS,
    CLAIMS_QUARTER,
    *CLAIM_VIEWS,
    *OUTCOME_VIEWS,
)
"""Every view, in the order in which they can be made."""


def selected_views() -> tuple[View, ...]:
    """Those whose tables are of the selected domains."""
    known, found = {table.name for table in tables()}, []
    for view in VIEWS:
        if view.reads <= known:
            known.add(view.name)
            found.append(view)
    return tuple(found)


def ddl(engine: str, *, prefix: str = "", views: Sequence[View] = VIEWS) -> str:
    """The statements that make views, in the dialect of an engine of :data:`ENGINES`; the prefix begins database names.

    Raises:
        MissingExtraError: sqlglot is not installed.
    """
    # Of tables outside of it, Redshift makes views that find them when they are asked.
    end = "\nWITH NO SCHEMA BINDING;" if engine == "redshift" else ";"
    statements = [
        f"-- {v.description}\n{translated(v.statement, engine, prefix=prefix, pretty=True)}{end}" for v in views
    ]
    if engine != "athena":  # its databases are part of the deployment
        schemas = dict.fromkeys(view.schema for view in views)
        statements = [*(f"create schema if not exists {prefix}{schema};" for schema in schemas), *statements]
    return "\n\n".join(statements) + "\n"


def translated(sql: str, engine: str, *, prefix: str = "", pretty: bool = False) -> str:
    """A statement in DuckDB's dialect as another engine takes it, with the names of its databases.

    Raises:
        MissingExtraError: sqlglot is not installed.
        ValueError: it is no SQL, or not one statement; the message shows where.
    """
    try:
        import sqlglot
        from sqlglot.errors import ParseError, TokenError
    except ImportError:
        raise MissingExtraError("views for other engines need sqlglot: pip install 'nh-pipeline[aws]'") from None
    try:
        statement = sqlglot.parse_one(sql, read="duckdb")
    except (ParseError, TokenError) as error:
        raise ValueError(f"not SQL: {error}") from error
    for table in statement.find_all(sqlglot.exp.Table):
        if table.db in DATABASES:
            table.set("db", sqlglot.exp.to_identifier(prefix + table.db))
    if engine == "snowflake":  # quoted, a name would be in small letters, and another one than elsewhere
        for identifier in statement.find_all(sqlglot.exp.Identifier):
            identifier.set("quoted", False)
    return statement.sql(dialect=engine, pretty=pretty)
