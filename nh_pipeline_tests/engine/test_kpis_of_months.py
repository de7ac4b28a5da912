"""The key figures of months, by hand: two homes of Alabama, one of Alaska, in the spring of 2024."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from nh_pipeline.datasets.cms.daily_nurse_staffing import FCT_STAFFING_LEVELS
from nh_pipeline.marts import kpi_contract_share, kpi_hours, kpi_hprd, kpi_surge, kpi_throughput
from nh_pipeline.marts.facility_measures import FACILITY_MEASURES
from nh_pipeline.marts.facility_month import facility_month
from nh_pipeline_tests.support.frames import figures, frame_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

pytestmark = [pytest.mark.integration, pytest.mark.every_mart]

APRIL = {"period_start": date(2024, 4, 1), "period_end": date(2024, 4, 30)}
FRIDAY, SATURDAY = date(2024, 4, 5), date(2024, 4, 6)


def day(home: str, when: date, census: int, *, rn: int, aide: int, contract: int = 0) -> dict[str, Any]:
    hours = {"rn": rn, "aide": aide, "total": rn + aide, "direct_care": aide, "contract": contract}
    return {
        "provider_id": home, "state": {"01": "AL", "02": "AK"}[home[:2]], "work_date": when, "cy_qtr": "2024Q2",
        "census": census, **{f"{kind}_hours": Decimal(value) for kind, value in hours.items()},
    }  # fmt: skip


DAYS = [
    day("010001", FRIDAY, 10, rn=8, aide=32),
    day("010001", SATURDAY, 10, rn=0, aide=20, contract=5),
    day("010002", FRIDAY, 40, rn=20, aide=60, contract=16),
    day("010002", SATURDAY, 0, rn=4, aide=6),  # nobody lives there, hours all the same
    day("020003", FRIDAY, 0, rn=0, aide=0),
]


@pytest.fixture(scope="module")
def months(engine) -> DataFrame:
    return facility_month(frame_of(engine, FCT_STAFFING_LEVELS, DAYS))


def test_hours(months):
    found = figures(kpi_hours.MART, kpi_hours.kpi_hours(months))
    assert {row["period_start"] for row in found.rows} == {APRIL["period_start"]}
    assert {row["period_end"] for row in found.rows} == {APRIL["period_end"]}
    assert found["hours_total", "NATION"] == (150, 5, 30.0, (30 + 45 + 0) / 3, 3)
    assert found["hours_total", "AL"] == (150, 4, 37.5, 37.5, 2)
    assert found["hours_rn", "010002"] == (24, 2, 12.0, 12.0, 1)
    assert found["hours_contract", "AL"] == (21, 4, 5.25, (2.5 + 8) / 2, 2)


def test_hours_per_resident_day_leave_out_days_without_residents(months):
    found = figures(kpi_hprd.MART, kpi_hprd.kpi_hprd(months))
    assert found["hprd_total", "010001"] == (60, 20, 3.0, 3.0, 1)
    assert found["hprd_total", "010002"] == (80, 40, 2.0, 2.0, 1)
    assert found["hprd_total", "020003"] == (0, 0, None, None, 0)
    assert found["hprd_total", "AL"] == (140, 60, 140 / 60, 2.5, 2)
    assert found["hprd_total", "AK"] == (0, 0, None, None, 0)
    assert found["hprd_total", "NATION"] == (140, 60, 140 / 60, 2.5, 2)
    assert found["hprd_total_all_days", "NATION"] == (150, 60, 2.5, 2.625, 2)
    assert found["hprd_rn", "AL"] == (28, 60, 28 / 60, 0.45, 2)
    assert found["hprd_direct_care", "AL"] == (112, 60, 112 / 60, (52 / 20 + 60 / 40) / 2, 2)
    assert found["hprd_total_weekend", "AL"] == (20, 10, 2.0, 2.0, 1)
    assert found["hprd_rn_weekend", "AL"] == (0, 10, 0.0, 0.0, 1)


def test_contract_share(months):
    found = figures(kpi_contract_share.MART, kpi_contract_share.kpi_contract_share(months))
    assert found["contract_share", "010001"] == (5, 60, 5 / 60, pytest.approx(5 / 60, abs=1e-9), 1)
    assert found["contract_share", "AL"] == (21, 150, 0.14, pytest.approx((5 / 60 + 16 / 90) / 2, abs=1e-9), 2)
    assert found["contract_share", "AK"] == (0, 0, None, None, 0)
    assert found["contract_share_weekend", "AL"] == (5, 30, 5 / 30, 0.125, 2)


def test_residents_and_the_beds_that_they_take(engine):
    beds = {"010001": 8, "010002": None, "020003": 50}
    days = [{**row, "certified_beds": beds[row["provider_id"]]} for row in DAYS]
    days[1]["certified_beds"] = 12  # the home grew
    found = figures(kpi_throughput.MART, kpi_throughput.kpi_throughput(frame_of(engine, FACILITY_MEASURES, days)))
    assert found["residents", "NATION"] == (60, 5, 12.0, 10.0, 3)
    assert found["occupancy", "010001"] == (20, 20, 1.0, 1.0, 1)
    assert found["occupancy", "010002"] == (None, None, None, None, 0)
    assert found["occupancy", "NATION"] == (20, 70, 20 / 70, 0.5, 2)


def test_surge_is_measured_by_the_same_weekday_of_eight_weeks(engine):
    """Eight Fridays with a median of 45 hours, then 60; Saturdays of which one is missing; Sundays without hours."""
    fridays = [10, 20, 30, 40, 50, 60, 70, 80, 60]
    days = [day("010001", FRIDAY - timedelta(weeks=8 - n), 9, rn=0, aide=hours) for n, hours in enumerate(fridays)]
    days += [day("010001", SATURDAY - timedelta(weeks=n), 9, rn=1, aide=1) for n in range(10) if n != 3]
    days += [day("020003", FRIDAY + timedelta(days=2) - timedelta(weeks=n), 9, rn=0, aide=0) for n in range(9)]
    days += [day("010002", FRIDAY - timedelta(weeks=n), 9, rn=0, aide=56 if n else 70) for n in range(9)]
    made = kpi_surge.kpi_surge(
        frame_of(engine, FCT_STAFFING_LEVELS, days), start=date(2024, 4, 1), end=date(2024, 4, 30)
    )
    found = figures(kpi_surge.MART, made)
    assert {entity for _, entity in found} == {"010001", "010002", "AL", "NATION"}
    assert found["surge_index", "010001"] == (60, 45, 60 / 45, pytest.approx(60 / 45, abs=1e-9), 1)
    assert found["surge_index", "AL"] == (130, 101, 130 / 101, pytest.approx((60 / 45 + 1.25) / 2, abs=1e-9), 2)
    assert found["surge_days", "AL"] == (1, 2, 0.5, 0.5, 2)  # 70 is 1.25 times 56, not more
