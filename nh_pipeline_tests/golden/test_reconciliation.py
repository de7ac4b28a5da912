"""CMS's own figures, recomputed from its real files as exactly as has been measured before."""

from __future__ import annotations

import csv
from datetime import date

import duckdb
import pytest

from nh_pipeline import datasets
from nh_pipeline.marts.reconciliation.constants import RECONCILIATION_CONSTANTS
from nh_pipeline.marts.reconciliation.mart import MART, RECONCILIATION, SUMMARY
from nh_pipeline.model.kinds import PerRelease
from nh_pipeline.pipeline.mart import BuildMart
from nh_pipeline.pipeline.per_release import BuildRelease
from nh_pipeline_tests.support import chain

pytestmark = [pytest.mark.golden, pytest.mark.integration]

FILES = (
    "NH_ProviderInfo_Aug2021.zip",
    "NH_ProviderInfo_Nov2024.csv",
    "NH_StateUSAverages_Oct2024.csv",
    "NH_DataCollectionIntervals_Oct2024.csv",
    "NH_QualityMsr_Claims_Oct2024.zip",
    "NH_Penalties_Oct2024.csv",
    "NH_CovidVaxProvider_20241027.csv",
    "NH_CovidVaxAverages_20241027.csv",
    "NH_SurveySummary_Oct2024.csv",
    "FY_2024_SNF_VBP_Aggregate_Performance.csv",
    "FY_2024_SNF_VBP_Facility_Performance.csv",
    "PBJ_Daily_Nurse_Staffing_Q2_2024.zip",
)
RELEASES = (date(2021, 8, 1), date(2023, 10, 1), date(2024, 10, 1), date(2024, 10, 27), date(2024, 11, 1))


@pytest.fixture(scope="module")
def october(real_data, tmp_path_factory):
    """Provider Information of October 2024: the five homes that are known, and the numbers of all the others."""
    key = "CMS Certification Number (CCN)"
    with (real_data / "excerpts" / "NH_ProviderInfo_Oct2024.csv").open(newline="") as stream:
        homes = {row[key]: row for row in csv.DictReader(stream)}
    path = tmp_path_factory.mktemp("october") / "NH_ProviderInfo_Oct2024.csv"
    with (real_data / "drop" / "NH_CovidVaxProvider_20241027.csv").open(newline="") as of, path.open("w") as stream:
        writer = csv.DictWriter(stream, next(iter(homes.values())), restval="")
        writer.writeheader()
        for row in csv.DictReader(of):
            other = {key: row[key], "State": row["State"], "Processing Date": "2024-10-01"}
            writer.writerow(homes.get(row[key], other))
    return path


@pytest.fixture(scope="module")
def query(real_data, october, engine, tmp_path_factory):
    """DuckDB over the three tables, built of the real files."""
    workspace = chain.workspace_at(tmp_path_factory.mktemp("lake"), engine)
    chain.land(workspace, *(real_data / "drop" / name for name in FILES), october)
    chain.parse(workspace)
    chain.staffing(workspace)
    wanted = {table.name for table in MART.inputs}
    for dataset in datasets.with_tables():
        for table in dataset.silver:
            if table.name in wanted and isinstance(table.kind, PerRelease):
                for delivery in workspace.zone.deliveries(dataset.name):
                    build = BuildRelease(table=table.name, coverage=delivery.manifest.coverage.key)
                    chain.published(build.run(workspace).results)
    months = BuildMart(table="gold.facility_month", start=date(2024, 4, 1), end=date(2024, 6, 30))
    chain.published(months.run(workspace).results)
    for table in (RECONCILIATION_CONSTANTS, RECONCILIATION, SUMMARY.table):
        for day in RELEASES:
            if table is not RECONCILIATION_CONSTANTS or day.day == 1:
                chain.published(BuildMart(table=table.name, start=day, end=day).run(workspace).results)
    with duckdb.connect() as db:
        for table in (RECONCILIATION_CONSTANTS, RECONCILIATION, SUMMARY.table):
            listed = [workspace.lake.readable(path) for path in workspace.lake.snapshot(table).paths]
            files = f"read_parquet({listed}, union_by_name=true, hive_partitioning=false)"
            db.execute(f"create view {table.short} as select * from {files}")
        yield lambda sql: db.execute(sql).fetchall()


HELD = {  # release: rule: equal, rounding, held, suppressed, input missing, mismatch
    "2021-08-01": {
        **{f"adjusted_{staff}_hprd": (n, 14_658 - n, 0, 94, 0, 0)
           for staff, n in (("aide", 9384), ("lpn", 8874), ("rn", 7306), ("total", 8920))},
        "reported_licensed_hprd_as_sum": (11_125, 3628, 0, 0, 0, 0),
        "reported_total_hprd_as_sum": (11_130, 3623, 0, 0, 0, 0),
        "staffing_rating_of_footnote": (1178, 0, 0, 0, 0, 0),
        "overall_rating": (15_048, 0, 0, 0, 0, 0),
        "health_inspection_rating": (14_422, 0, 618, 88, 0, 1),
        "health_inspection_rating_with_abuse_icon": (684, 0, 0, 0, 0, 0),
        "weighted_health_survey_score": (15_135, 1, 0, 0, 0, 0),
        **{f"cycle_{n}_{score}_score": (homes, 0, 0, 0, 0, 0)
           for n, homes in ((1, 15_136), (2, 15_136), (3, 15_026)) for score in ("total", "revisit")},
        "inspected_over_2_years_ago": (15_283, 0, 0, 0, 0, 0),
        "total_penalties_as_sum": (15_283, 0, 0, 0, 0, 0),
    },
    "2023-10-01": {
        "vbp_achievement_score": (10_858, 0, 0, 0, 0, 0),
        "vbp_improvement_score": (10_341, 0, 0, 0, 0, 0),
        "vbp_performance_score": (10_858, 0, 0, 0, 0, 0),
        "vbp_ranking": (10_858, 0, 0, 0, 0, 0),
        **{f"vbp_{end}_{of}": (1, 0, 0, 0, 0, 0)
           for end in ("min", "max") for of in ("multiplier", "performance_score")},
        "vbp_facilities": (1, 0, 0, 0, 0, 0),
    },
    "2024-10-01": {
        "mean_rehospitalization_521": (52, 0, 0, 0, 0, 0),
        "mean_outpatient_ed_522": (52, 0, 0, 0, 0, 0),
        "mean_hospitalizations_551": (51, 1, 0, 0, 0, 0),
        "mean_ed_visits_552": (52, 0, 0, 0, 0, 0),
        "mean_fines": (54, 0, 0, 0, 0, 0),
        "mean_fine_dollars": (44, 10, 0, 0, 0, 0),
    },
    "2024-10-27": {
        "mean_residents_up_to_date": (53, 0, 0, 0, 0, 1),
        "mean_staff_up_to_date": (54, 0, 0, 0, 0, 0),
    },
    "2024-11-01": {
        "reported_aide_hprd": (14_400, 0, 0, 137, 16, 4),
        "reported_lpn_hprd": (14_400, 0, 0, 137, 16, 4),
        "reported_rn_hprd": (14_400, 1, 0, 137, 16, 3),
        "overall_rating": (14_664, 0, 0, 0, 0, 0),
    },
}  # fmt: skip


@pytest.mark.parametrize("release", HELD)
def test_rules_hold_as_exactly_as_measured(query, release):
    rows = query(f"""
        select rule, sum(equal)::int, sum(rounding)::int, sum(held)::int, sum(suppressed)::int, sum(input_missing)::int,
        sum(mismatch)::int from reconciliation_summary where release = date '{release}' group by rule""")
    found = {rule: tuple(counts) for rule, *counts in rows}
    assert {rule: found[rule] for rule in HELD[release]} == HELD[release]


def test_reported_hours_follow_from_the_days_and_the_rest_has_a_reason(query):
    """Four homes cannot be met together with the months of theirs that were published; 16 have no days."""
    ((compared, within),) = query("""
        select count(*), count(*) filter (worst <= 1e-5 + 1e-9) from (
            select entity, max(abs(difference)) as worst from reconciliation
            where release = date '2024-11-01'
            and rule in ('reported_rn_hprd', 'reported_lpn_hprd', 'reported_aide_hprd') and difference is not null
            group by entity)""")
    assert (compared, within) == (14_404, 14_400)
    others = query("""
        select distinct entity from reconciliation where release = date '2024-11-01' and verdict = 'mismatch'
        and rule in ('reported_rn_hprd', 'reported_lpn_hprd', 'reported_aide_hprd')""")
    assert {entity for (entity,) in others} == {"165383", "175163", "285150", "395637"}


def test_the_five_homes_of_october_whose_rows_are_known_whole(query):
    """Case mix since July 2024, and the weekends of the one home whose days are real."""
    rows = query("""
        select rule, count(*) from reconciliation where release = date '2024-10-01'
        and level = 'facility' and verdict in ('equal', 'rounding') group by rule""")
    found = dict(rows)
    of_five = ["average_residents_per_day", "reported_total_hprd", "case_mix_index_ratio", "overall_rating"]
    for staff in ("aide", "lpn", "rn", "total", "weekend_total"):
        of_five += [f"case_mix_{staff}_hprd", f"adjusted_{staff}_hprd"]
    assert {rule: found[rule] for rule in of_five} == dict.fromkeys(of_five, 5)
    ((worst,),) = query("""
        select max(abs(difference)) from reconciliation where release = date '2024-10-01' and entity = '015009'
        and rule in ('weekend_total_hprd', 'weekend_rn_hprd')""")
    assert worst <= 0.5e-5


def test_constants(query):
    """N and the national index are what the averages print for the nation; so is C."""
    rows = query("select release::text, constant, value, is_constant from reconciliation_constants")
    assert all(constant for *_, constant in rows)
    found = {(release, name): value for release, name, value, _ in rows}
    published = {"n_rn": 0.66807, "n_total": 3.83737, "n_weekend_total": 3.35315, "c_rn": 0.66435,
                 "c_total": 3.81602, "c_weekend_total": 3.33449, "national_index": 1.35608}  # fmt: skip
    for name, value in published.items():
        assert found["2024-10-01", name] == pytest.approx(value, abs=1e-5)
    for name, measured in (("c_aide", 2.05668), ("c_lpn", 0.74474), ("c_rn", 0.41088), ("c_total", 3.21231)):
        assert found["2021-08-01", name] == pytest.approx(measured, abs=1e-5)
    for code, k in (("521", 22.44436), ("522", 11.12825), ("551", 1.72494), ("552", 1.61811)):
        assert found["2024-10-01", f"k_{code}"] == pytest.approx(k, abs=1e-5)


def test_fire_deficiencies_of_the_states_that_are_whole(query):
    """The survey summary at hand has all homes of 13 states, and some of California's and Indiana's."""
    rows = query("""
        select entity, bool_and(verdict = 'equal') from reconciliation where release = date '2024-10-01'
        and rule like 'mean_cycle_%_fire_deficiencies' and level = 'state' and ours is not null group by entity""")
    assert {state for state, equal in rows if not equal} <= {"CA", "IN"}
    assert len(rows) == 15
