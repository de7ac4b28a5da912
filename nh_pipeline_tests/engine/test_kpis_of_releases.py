"""The key figures of releases, by hand: two homes of Alabama, one of Alaska, in October 2024."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from nh_pipeline.datasets.cms.citations import HEALTH_CITATIONS
from nh_pipeline.datasets.cms.covid_vaccination import COVID_VAX_PROVIDER
from nh_pipeline.datasets.cms.data_collection_intervals import DATA_COLLECTION_INTERVALS
from nh_pipeline.datasets.cms.mds_quality_measures import MDS_QUALITY_MEASURES
from nh_pipeline.datasets.cms.medicare_claims import FCT_CLAIMS_MEASURES
from nh_pipeline.datasets.cms.penalties import PENALTIES
from nh_pipeline.datasets.cms.providers import FCT_PROVIDER_RELEASES
from nh_pipeline.datasets.cms.snf_vbp import FCT_SNF_VBP
from nh_pipeline.marts import kpi_incidents, kpi_ratings, kpi_readmission, kpi_turnover, kpi_vaccination
from nh_pipeline.marts.facility_month import FACILITY_MONTH
from nh_pipeline.transforms.cms_periods import first_and_last_day
from nh_pipeline_tests.support.frames import figures, frame_of

pytestmark = [pytest.mark.integration, pytest.mark.every_mart]

SEPTEMBER, RELEASE = date(2024, 9, 1), date(2024, 10, 1)
OF = {"start": RELEASE, "end": RELEASE}
HOMES = {"010001": "AL", "010002": "AL", "020003": "AK"}
INTERVALS = DATA_COLLECTION_INTERVALS["fct_data_collection_intervals"]
MDS, CITATIONS = MDS_QUALITY_MEASURES["fct_mds_measures"], HEALTH_CITATIONS["fct_health_citations"]


def home(number: str, release: date = RELEASE, **more: object) -> dict[str, object]:
    return {"provider_id": number, "state": HOMES[number], "release": release, **more}


def test_periods(engine):
    texts = ["20230401-20240331", "2023Q3-2024Q2", "2024Q1-2024Q1", "FY2022", "20231301-20240331", "2023Q3", None]
    first, last = first_and_last_day("t")
    frame = engine.createDataFrame([(text,) for text in texts], "t string")
    assert [tuple(row) for row in frame.selectExpr(first, last).collect()] == [
        (date(2023, 4, 1), date(2024, 3, 31)),
        (date(2023, 7, 1), date(2024, 6, 30)),
        (date(2024, 1, 1), date(2024, 3, 31)),
        (date(2021, 10, 1), date(2022, 9, 30)),
        (None, date(2024, 3, 31)),
        (None, None),
        (None, None),
    ]


def test_turnover_is_a_mean_of_the_homes_that_have_one(engine):
    left = {"010001": "40.0", "010002": "50.5", "020003": None}
    homes = frame_of(engine, FCT_PROVIDER_RELEASES, [
        home(number, total_nursing_turnover=told and Decimal(told), administrator_departures=2)
        for number, told in left.items()
    ])  # fmt: skip
    intervals = frame_of(engine, INTERVALS, [
        {"release": RELEASE, "measure_code": code, "from_date": date(year, 4, 1), "through_date": date(year + 1, 3, 31)}
        for code, year in (("STAFFING_TURNOVER", 2023), ("521", 2020))
    ])  # fmt: skip
    found = figures(kpi_turnover.MART, kpi_turnover.kpi_turnover(homes, intervals, **OF))
    assert found["total_nursing_turnover", "NATION"] == (None, None, None, 45.25, 2)
    assert found["total_nursing_turnover", "AK"] == (None, None, None, None, 0)
    assert found["administrator_departures", "NATION"] == (None, None, None, 2.0, 3)
    assert found["rn_turnover", "AL"] == (None, None, None, None, 0)
    assert {(row["period_start"], row["period_end"]) for row in found.rows} == {(date(2023, 4, 1), date(2024, 3, 31))}
    unsaid = figures(kpi_turnover.MART, kpi_turnover.kpi_turnover(homes, intervals.where("false"), **OF))
    assert unsaid == found
    assert {(row["release"], row["period_start"]) for row in unsaid.rows} == {(RELEASE, None)}


def test_vaccination(engine):
    table = COVID_VAX_PROVIDER["fct_covid_vaccination"]
    homes = frame_of(engine, table, [
        home("010001", residents_up_to_date=Decimal("3.8"), staff_up_to_date=Decimal(0)),
        home("010002", residents_up_to_date=Decimal("10.0")),
    ])  # fmt: skip
    found = figures(kpi_vaccination.MART, kpi_vaccination.kpi_vaccination(homes, **OF))
    assert found["residents_up_to_date", "AL"] == (None, None, None, pytest.approx(6.9, abs=1e-12), 2)
    assert found["staff_up_to_date", "AL"] == (None, None, None, 0.0, 1)
    assert found["staff_boosted", "NATION"] == (None, None, None, None, 0)


def test_readmissions_are_of_a_release_or_of_a_fiscal_year(engine):
    claims = frame_of(engine, FCT_CLAIMS_MEASURES, [
        home(number, measure_code=code, adjusted_score=score and Decimal(score), measure_period=period)
        for number, code, score, period in (
            ("010001", "521", "23.5", "20230401-20240331"), ("010002", "521", None, "20230401-20240331"),
            ("010001", "551", "1.25", "20230401-20240331"), ("020003", "551", "1.75", "20230401-20240331"),
            ("020003", "999", "9", "20230401-20240331"),
        )
    ])  # fmt: skip
    none = frame_of(engine, FCT_SNF_VBP, [])
    found = figures(kpi_readmission.MART, kpi_readmission.kpi_readmission(claims, none, **OF))
    assert found["rehospitalization_521", "AL"] == (None, None, None, 23.5, 1)
    assert found["hospitalizations_551", "NATION"] == (None, None, None, 1.5, 2)
    assert {measure for measure, _ in found} == {"rehospitalization_521", "hospitalizations_551"}
    assert {(row["period_start"], row["period_end"]) for row in found.rows} == {(date(2023, 4, 1), date(2024, 3, 31))}

    rates = frame_of(engine, FCT_SNF_VBP, [
        {"provider_id": number, "state": HOMES[number], "fiscal_year": "FY2024", "measure": "snfrm", "period": period,
         "component": component, "value": value and Decimal(value)}
        for number, component, period, value in (
            ("010001", "performance", "FY2022", "0.2"), ("010002", "performance", "FY2022", "0.25"),
            ("010001", "baseline", "FY2019", None), ("010001", "achievement_score", None, "50"),
        )
    ])  # fmt: skip
    year = {"start": date(2023, 10, 1), "end": date(2023, 10, 1)}
    found = figures(kpi_readmission.MART, kpi_readmission.kpi_readmission(claims.where("false"), rates, **year))
    assert found["snfrm_performance", "NATION"] == (None, None, None, 0.225, 2)
    assert found["snfrm_baseline", "AL"] == (None, None, None, None, 0)
    assert {(row["measure"], row["release"], row["period_start"]) for row in found.rows} == {
        ("snfrm_performance", date(2023, 10, 1), date(2021, 10, 1)),
        ("snfrm_baseline", date(2023, 10, 1), date(2018, 10, 1)),
    }


def test_ratings_and_their_changes_on_homes_that_are_in_both_releases(engine):
    stars = {"010001": (2, 4), "010002": (3, 2), "020003": (None, 5)}
    homes = frame_of(engine, FCT_PROVIDER_RELEASES, [
        home(number, release, overall_rating=n)
        for number, both in stars.items() for release, n in zip((SEPTEMBER, RELEASE), both, strict=True)
    ])  # fmt: skip
    found = figures(kpi_ratings.MART, kpi_ratings.kpi_ratings(homes, **OF))
    assert found["overall_rating", "NATION"] == (None, None, None, pytest.approx(11 / 3, abs=1e-9), 3)
    assert found["overall_rating_4", "AL"] == (1, 2, 0.5, 0.5, 2)
    assert found["overall_rating_1", "AL"] == (0, 2, 0.0, 0.0, 2)
    assert found["overall_rating_change", "010002"] == (None, None, None, -1.0, 1)
    assert found["overall_rating_change", "NATION"] == (None, None, None, 0.5, 2)
    assert found["overall_rating_up", "NATION"] == found["overall_rating_down", "AL"] == (1, 2, 0.5, 0.5, 2)
    assert found["qm_rating_3", "NATION"] == (None, None, None, None, 0)  # nobody is rated
    assert found["overall_rating_change", "AK"] == (None, None, None, None, 0)
    since = {row["measure"]: row["period_start"] for row in found.rows}
    assert (since["overall_rating_change"], since["overall_rating"]) == (SEPTEMBER, RELEASE)


def test_incidents_are_counted_per_home_and_per_resident_day_of_the_same_months(engine):
    homes = frame_of(engine, FCT_PROVIDER_RELEASES, map(home, HOMES))
    mds = frame_of(engine, MDS, [
        {"provider_id": "010001", "release": RELEASE, "measure_code": code, "four_quarter_average": Decimal(score),
         "measure_period": "2023Q3-2024Q2"} for code, score in (("410", 3), ("401", 50))
    ])  # fmt: skip
    cited = [("010001", date(2022, 5, 5), "J"), ("010001", date(2024, 4, 30), "L"), ("010001", date(2024, 5, 1), "D"),
             ("010002", date(2024, 4, 2), "K")]  # fmt: skip
    citations = frame_of(engine, CITATIONS, [
        {"provider_id": number, "release": RELEASE, "survey_date": day, "scope_severity": severity,
         "infection_control_deficiency": severity == "D"} for number, day, severity in cited
    ])  # fmt: skip
    months = frame_of(engine, FACILITY_MONTH, [
        {"provider_id": "010001", "state": "AL", "month": date(2024, 4, 1), "resident_days": 1500},
        {"provider_id": "020003", "state": "AK", "month": date(2024, 5, 1), "resident_days": 500},
        {"provider_id": "010001", "state": "AL", "month": RELEASE, "resident_days": 9000},  # not over yet
    ])  # fmt: skip
    nothing = frame_of(engine, PENALTIES["fct_penalties"], [])
    found = figures(kpi_incidents.MART, kpi_incidents.kpi_incidents(homes, mds, citations, nothing, months, **OF))
    assert found["falls_410", "AL"] == (None, None, None, 3.0, 1)
    assert found["citations", "NATION"] == (4, 3, 4 / 3, pytest.approx(4 / 3, abs=1e-9), 3)
    assert found["citations_jkl", "AL"] == (3, 2, 1.5, 1.5, 2)
    assert found["citations_infection_control", "AK"] == (0, 1, 0.0, 0.0, 1)
    # Of May 2024 the first home reported no residents, of April the second.
    assert found["citations_jkl_per_1000_resident_days", "010001"] == (1, Decimal("1.5"), 1 / 1.5, 0.666666667, 1)
    assert found["citations_per_1000_resident_days", "NATION"] == (1, 2, 0.5, pytest.approx(1 / 3, abs=1e-9), 2)
    assert not {measure for measure, _ in found} & {"fines", "fine_dollars", "payment_denials_per_1000_resident_days"}
    of = {row["measure"]: (row["period_start"], row["period_end"]) for row in found.rows}
    assert of["falls_410"] == (date(2023, 7, 1), date(2024, 6, 30))
    assert of["citations_jkl"] == (date(2022, 5, 5), date(2024, 5, 1))
    assert of["citations_per_1000_resident_days"] == (date(2024, 4, 1), date(2024, 5, 31))


def test_fines_are_those_of_one_release(engine):
    homes = frame_of(engine, FCT_PROVIDER_RELEASES, map(home, HOMES))
    fined = [("010001", "Fine", "650.50", 1), ("010001", "Fine", "650.50", 2), ("020003", "Payment Denial", None, 1)]
    penalties = frame_of(engine, PENALTIES["fct_penalties"], [
        {"provider_id": number, "release": RELEASE, "penalty_date": date(2024, 4, 9), "penalty_type": kind,
         "fine_amount": dollars and Decimal(dollars), "nth": nth} for number, kind, dollars, nth in fined
    ])  # fmt: skip
    months = frame_of(engine, FACILITY_MONTH, [
        {"provider_id": "010001", "state": "AL", "month": date(2024, 4, 1), "resident_days": 1301}
    ])  # fmt: skip
    nothing = (frame_of(engine, table, []) for table in (MDS, CITATIONS))
    found = figures(kpi_incidents.MART, kpi_incidents.kpi_incidents(homes, *nothing, penalties, months, **OF))
    assert found["fines", "NATION"] == (2, 3, 2 / 3, pytest.approx(2 / 3, abs=1e-9), 3)
    assert found["fine_dollars", "AL"] == (1301, 2, 650.5, 650.5, 2)
    assert found["payment_denials", "AK"] == (1, 1, 1.0, 1.0, 1)
    assert found["fine_dollars_per_1000_resident_days", "NATION"] == (1301, Decimal("1.301"), 1000.0, 1000.0, 1)
    assert ("citations", "NATION") not in found
