"""The real files of CMS through the whole chain, held against what CMS and others publish."""

from __future__ import annotations

import csv
import json
from datetime import date

import duckdb
import pytest

from dashboard.asking import directly
from dashboard.filters import Filters
from dashboard.sections.staffing import pooled
from nh_pipeline.datasets.cms.daily_nurse_staffing import FCT_STAFFING_LEVELS
from nh_pipeline.datasets.cms.medicare_claims import DIM_CLAIMS
from nh_pipeline.datasets.cms.providers import DIM_PROVIDERS
from nh_pipeline.marts import facility_month, kpi_hprd
from nh_pipeline.marts.facility_measures import FACILITY_MEASURES
from nh_pipeline.model.table import REJECTS
from nh_pipeline.periods import quarter_bounds
from nh_pipeline.pipeline.mart import BuildMart
from nh_pipeline.queries.open import LakeQueries
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.declared import BRONZE

pytestmark = [pytest.mark.golden, pytest.mark.integration]

FILES = (
    "PBJ_Daily_Nurse_Staffing_*",
    "NH_ProviderInfo_Aug2021.zip",
    "NH_ProviderInfo_Nov2024.csv",
    "NH_QualityMsr_Claims_Oct2024.zip",
)
ONE_HOME = {  # days of 335513, by the header of the quarter
    "pbj-2017q1": {"2017Q1": 90},
    "pbj-2017q2": {"2017Q2": 91},
    "pbj-2017q3": {"2017Q3": 92, "2017Q4": 92},
    "pbj-2018": {
        "2018Q2": 91, "2018Q3": 92, "2018Q4": 92, "2019Q1": 90, "2019Q2": 91, "2019Q3": 92, "2019Q4": 92, "2020Q1": 91,
        "2020Q2": 91, "2020Q3": 92, "2020Q4": 92, "2021Q1": 90, "2021Q2": 91, "2021Q3": 92, "2022Q1": 90, "2022Q2": 91,
        "2022Q3": 92, "2022Q4": 92, "2024Q2": 91,
    },
    "pbj-2021q4": {"2021Q4": 92},
}  # fmt: skip
OUTLIER_HOURS, OUTLIER_CONTRACT = 1_394_625, 1_380_150
"""Cents of the one absurd cell: 145446, 2024-05-25, LPN. Some sources leave it out."""


@pytest.fixture(scope="module")
def lake(engine, real_data, field, tmp_path_factory):
    workspace = chain.workspace_at(tmp_path_factory.mktemp("lake"), engine)
    paths = [path for name in FILES for path in sorted((real_data / "drop").glob(name)) if "2017Q2" not in path.name]
    # The file of 2017Q2 in drop/ bears a header that CMS's never had.
    chain.land(workspace, *paths, *field.glob("*/PBJ_Daily_Nurse_Staffing_CY_2017Q2.csv"))
    chain.parse(workspace)
    chain.staffing(workspace)
    for dataset in ("providers", "medicare_claims"):
        _, statuses = chain.dimension(workspace, dataset)
        assert {s.state for s in statuses} == {"effective"}
    chain.measures(workspace, "2024Q2", "2017Q1")
    start, end = quarter_bounds("2024Q2")
    for mart in (facility_month.MART, kpi_hprd.MART):
        chain.published(BuildMart(table=mart.table.name, start=start, end=end).run(workspace).results)
    return workspace.lake


@pytest.fixture(scope="module")
def query(lake):
    """DuckDB over exactly the files of the current snapshots."""
    with duckdb.connect() as db:
        db.execute("create macro cents(hours) as round(100 * hours::double)::bigint")
        views = {
            "fct": FCT_STAFFING_LEVELS,
            "gold": FACILITY_MEASURES,
            "providers": DIM_PROVIDERS,
            "claims": DIM_CLAIMS,
            "bronze": BRONZE["daily_nurse_staffing"],
            "released": BRONZE["providers"],
            "hprd": kpi_hprd.MART.table,
        }
        for name, contract in views.items():
            listed = [lake.readable(p) for p in lake.snapshot(contract).paths]
            files = f"read_parquet({listed}, union_by_name=true, hive_partitioning=false)"
            db.execute(f"create view {name} as select * from {files}")
        db.execute("create view q2 as select * from fct where cy_qtr = '2024Q2'")
        yield lambda sql: db.execute(sql).fetchall()


def test_nothing_is_refused(lake):
    assert lake.snapshot(REJECTS).files == ()
    bronze, silver = lake.snapshot(BRONZE["daily_nurse_staffing"]), lake.snapshot(FCT_STAFFING_LEVELS)
    assert bronze.rows == silver.rows
    assert len(silver.files) == len(silver.present)  # one file per month


def test_the_nation(query, real_data):
    golden = json.loads((real_data / "golden" / "national_2024Q2.json").read_text())["computed_from_calibrated_file"]
    ((*found,),) = query("""
        select count(*), count(distinct provider_id), sum(census), sum(total_hours), sum(contract_hours), sum(rn_hours),
        sum(lpn_hours), sum(aide_hours), sum(hrs_rn + hrs_lpn + hrs_cna), sum(direct_care_hours), sum(hrs_rn),
        sum((total_hours = 0)::int), sum(is_zero_census::int) from q2""")
    names = (
        "rows", "facilities", "sum_mds_census", "total_hours", "contract_hours", "rn_hours", "lpn_hours", "aide_hours",
        "direct_care_hours_rn_lpn_cna", "nurse_care_hours_rn_lpn_cna_natrn_medaide", "rn_care_hours",
        "rows_with_zero_hours", "rows_with_zero_census",
    )  # fmt: skip
    exact = {name: round(float(value), 2) for name, value in zip(names, found, strict=True)}
    assert exact == {name: golden[name] for name in names}
    for group in ("total", "rn", "lpn", "aide"):
        rate = exact[f"{group}_hours"] / exact["sum_mds_census"]
        assert round(rate, 6) == golden[f"hprd_{group}"]
    assert round(100 * exact["contract_hours"] / exact["total_hours"], 6) == golden["contract_share_pct"]
    assert exact["rows"] == exact["facilities"] * 91


def test_states(query, real_data):
    found = {
        state: sums
        for state, *sums in query("""
        select state, count(distinct provider_id), sum(census)::bigint, (100 * sum(total_hours))::bigint,
        (100 * sum(contract_hours))::bigint, (100 * sum(hrs_rn + hrs_lpn + hrs_cna))::bigint,
        (100 * sum(rn_hours))::bigint, (100 * sum(direct_care_hours))::bigint, (100 * sum(hrs_rn))::bigint
        from q2 group by state""")
    }
    assert len(found) == 52
    with (real_data / "golden" / "state_2024Q2.csv").open() as stream:
        golden = list(csv.DictReader(stream))
    assert len(golden) == 48
    for row in golden:
        homes, census, total, contract, narrow, rn, nurse_care, rn_care = found[row["state"]]
        outlier = row["state"] == "IL"
        assert (homes, census) == (int(row["facilities"]), int(row["census"]))
        assert [total, contract, narrow] == [
            cents(row["total_hours"]) + outlier * OUTLIER_HOURS,
            cents(row["contract_hours"]) + outlier * OUTLIER_CONTRACT,
            cents(row["direct_care_hours"]) + outlier * OUTLIER_HOURS,
        ], row["state"]
        published = (
            "pub_total_hours",
            "pub_rn_hours",
            "pub_nurse_care_hours",
            "pub_rn_care_hours",
            "pub_contract_hours",
        )
        assert [total, rn, nurse_care, rn_care, contract] == [cents(row[c]) for c in published], row["state"]


def cents(text: str) -> int:
    return round(100 * float(text))


def test_facility_months(query, real_data):
    """To the cent, but for the one cell that the published file leaves out. Its direct care is RN + LPN + CNA."""
    path = real_data / "golden" / "facility_month_2024Q2.parquet"
    compared = query(f"""
        with mine as (
            select provider_id, strftime(work_date, '%Y-%m') as month, count(*) as n, sum(is_zero_census::int) as empty,
            sum(census) as census, 100 * sum(total_hours) as total, 100 * sum(hrs_rn + hrs_lpn + hrs_cna) as direct,
            100 * sum(contract_hours) as contract
            from q2 group by all)
        select provider_id, mine.month, count(*) over (), n = Days_Reported and empty = Zero_Census_Days
            and mine.census = coalesce(Census_Sum_ExclZero, 0), (total - cents(Total_Nurse_Hours_All))::bigint,
            (direct - cents(Total_Direct_Care_Hours))::bigint, (contract - cents(Total_Contract_Hours))::bigint
        from mine full join read_parquet('{path}') golden on PROVNUM = provider_id and golden.Month = mine.month""")
    assert {row[2] for row in compared} == {len(compared)} == {43_692}
    assert [row[:2] for row in compared if row[3] is not True] == []
    assert [(*row[:2], *row[4:]) for row in compared if row[4:] != (0, 0, 0)] == [
        ("145446", "2024-05", OUTLIER_HOURS, OUTLIER_HOURS, OUTLIER_CONTRACT)
    ]


def test_the_outlier_is_kept_and_flagged(query):
    day = "provider_id = '145446' and work_date = date '2024-05-25'"
    assert query(f"select hrs_lpn::varchar, hrs_lpn_ctr::varchar, is_implausible_hours from fct where {day}") == [
        ("13946.25", "13801.50", True)
    ]
    assert query(f"select is_implausible_hours from gold where {day}") == [(True,)]
    assert query("select count(*) from q2 where hrs_lpn > 13946.24") == [(1,)]


def test_hours_per_resident_day_as_cms_publishes_them(query):
    """Provider Information of November 2024 reports 2024Q2; days without residents are left out.

    The total of that file is the sum of three rounded rates, so it may be off by 1.5e-5; the others by 1e-5.
    """
    compared = query("""
        with mine as (
            select provider_id, sum(census) census, sum(total_hours) total, sum(rn_hours) rn, sum(lpn_hours) lpn,
            sum(aide_hours) aide from q2 where census > 0 group by provider_id),
        cms as (
            select provider_id, reported_total_hprd::double total, reported_rn_hprd::double rn,
            reported_lpn_hprd::double lpn, reported_aide_hprd::double aide
            from released where coverage = '2024-11-01' and reported_total_hprd is not null)
        select cms.provider_id, abs(mine.total / census - cms.total) < 1.5e-5, abs(mine.rn / census - cms.rn) < 1e-5,
        abs(mine.lpn / census - cms.lpn) < 1e-5, abs(mine.aide / census - cms.aide) < 1e-5
        from cms join mine using (provider_id)""")
    assert len(compared) == 14_404
    # The README names these four: their published rates cannot be met together with their monthly totals.
    assert {row[0] for row in compared if not all(row[1:])} == {"165383", "175163", "285150", "395637"}


def test_hours_per_resident_day_of_the_nation_and_the_states(query, real_data):
    """Pooled, months summed up, with the hours of days without residents: as those count who sum the file up."""
    found = {
        (measure, entity): rate
        for measure, entity, rate in query("""
            select measure, entity, round(sum(numerator)::double / sum(denominator)::double, 6) from hprd
            where level <> 'facility' group by all""")
    }
    golden = json.loads((real_data / "golden" / "national_2024Q2.json").read_text())["computed_from_calibrated_file"]
    for measure in ("hprd_total", "hprd_rn", "hprd_lpn", "hprd_aide"):
        assert found[f"{measure}_all_days", "NATION"] == golden[measure]
    assert found["hprd_total", "NATION"] == 3.714148  # 8,942.01 hours of days without residents less
    with (real_data / "golden" / "state_2024Q2.csv").open() as stream:
        for row in csv.DictReader(stream):
            published = round(float(row["pub_total_hours"]) / int(row["census"]), 6)
            assert found["hprd_total_all_days", row["state"]] == published
            assert (published == float(row["hprd"])) == (row["state"] != "IL")  # which leaves the outlier out


def test_the_mean_home_is_no_pooled_figure(query):
    """CMS's state and national averages are means of homes: 3.83737 for 2024Q2, which 16 homes without days are in."""
    ((homes, ours, theirs),) = query("""
        with mine as (select entity, sum(numerator)::double / sum(denominator)::double as rate from hprd
            where level = 'facility' and measure = 'hprd_total' group by 1)
        select count(rate), avg(rate), (select avg(reported_total_hprd::double) from released
            where coverage = '2024-11-01')
        from mine join released on provider_id = entity and coverage = '2024-11-01' and reported_total_hprd is not null
        """)
    assert (homes, round(ours, 6), round(theirs, 6)) == (14_404, 3.830477, 3.837296)


def test_every_header_of_one_home(query):
    found = query("""
        select b.layout, f.cy_qtr, count(*), min(f.work_date), count(distinct f.work_date)
        from fct f join bronze b on b.delivery_id = f.delivery_id and trim(b.provider_id) = f.provider_id
        and strptime(b.work_date, '%Y%m%d')::date = f.work_date
        where f.provider_id = '335513' group by all""")
    by_layout: dict[str, dict[str, int]] = {}
    for layout, quarter, rows, _, days in found:
        assert rows == days
        by_layout.setdefault(layout, {})[quarter] = rows
    assert by_layout == ONE_HOME
    # What early headers name differently, and what 2017Q2 labels as another column, is there all the same.
    assert query("""
        select cy_qtr, sum(hrs_rndon) > 0, sum(hrs_cna) > 0,
        max(abs(hrs_medaide - hrs_medaide_emp - hrs_medaide_ctr))::int, sum(is_unbalanced::int)::int from fct
        where provider_id = '335513' and cy_qtr in ('2017Q1', '2017Q2', '2017Q3') group by 1 order by 1""") == [
        (quarter, True, True, 0, 0) for quarter in ("2017Q1", "2017Q2", "2017Q3")
    ]


def test_gold(query):
    assert query("select count(*), sum(total_hours)::varchar from gold where cy_qtr = '2024Q2'") == [
        (1_325_324, "410623403.86")
    ]
    matches = dict(
        query("select provider_match, count(distinct provider_id) from gold where cy_qtr = '2024Q2' group by 1")
    )
    # 112 are in the release of November 2024, not in that of August 2021.
    assert matches == {"as_of": 14_451, "earliest": 112, "unknown": 1}
    unknown = "select provider_id, count(*), count(provider_name), count(state), sum(total_hours) > 0 from gold"
    assert query(f"{unknown} where provider_match = 'unknown' group by 1") == [("265882", 91, 0, 91, True)]
    assert query("select count(*) from providers where provider_id = '265882'") == [(0,)]
    # Of 23 that the release of November 2024 lacks, 22 were known in August 2021.
    without = "provider_id not in (select provider_id from released where coverage = '2024-11-01')"
    assert query(f"select count(distinct provider_id) from q2 where {without}") == [(23,)]
    # 2017 lies before every release.
    assert query("select provider_match, claims_match, count(*) from gold where cy_qtr = '2017Q1' group by 1, 2") == [
        ("earliest", "earliest", 90)
    ]


def test_releases(query):
    versions = query("select valid_from, count(*) from providers group by 1 order by 1")
    assert versions[0] == (date(2021, 8, 1), 15_283)
    assert query("select count(*) from providers where is_current") == [(14_807,)]
    assert query("select count(*) from claims") == [(59_256,)]
    blank, mean = query("select sum((adjusted_score is null)::int), round(avg(adjusted_score::double), 6) from claims")[
        0
    ]
    assert (blank, mean) == (12_124, 9.783030)


def test_the_dashboard_shows_the_golden_figures(lake, query, real_data):
    """The same nation and states; of the hours, those of days without residents are left out, as CMS does."""
    ask, quarter = directly(LakeQueries(lake)), Filters(*quarter_bounds("2024Q2"))
    empty = dict(
        query("select state, sum(total_hours)::double from gold where cy_qtr = '2024Q2' and census = 0 group by 1")
    )
    nation = pooled(ask, quarter).iloc[0]
    golden = json.loads((real_data / "golden" / "national_2024Q2.json").read_text())["computed_from_calibrated_file"]
    assert (nation["homes"], nation["resident_days"]) == (golden["facilities"], golden["sum_mds_census"])
    assert nation["total_hours"] == pytest.approx(golden["total_hours"] - sum(empty.values()), abs=0.01)
    assert round(nation["hprd_total"], 6) == 3.714148
    states = pooled(ask, quarter, "m.state").set_index("part")
    with (real_data / "golden" / "state_2024Q2.csv").open() as stream:
        for row in csv.DictReader(stream):
            shown = states.loc[row["state"]]
            assert (shown["homes"], shown["resident_days"]) == (int(row["facilities"]), int(row["census"]))
            assert shown["total_hours"] == pytest.approx(
                float(row["pub_total_hours"]) - empty.get(row["state"], 0), abs=0.01
            )
