"""The marts of homes, quarters and releases, on a few rows whose results are counted by hand."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from nh_pipeline.datasets.cms.citations import HEALTH_CITATIONS
from nh_pipeline.datasets.cms.daily_nurse_staffing import FCT_STAFFING_LEVELS
from nh_pipeline.datasets.cms.data_collection_intervals import DATA_COLLECTION_INTERVALS
from nh_pipeline.datasets.cms.penalties import PENALTIES
from nh_pipeline.datasets.cms.providers import FCT_PROVIDER_RELEASES
from nh_pipeline.datasets.dates import DIM_DATE
from nh_pipeline.datasets.staffing_lines import STAFFING_LINES
from nh_pipeline.marts import (
    chain_quarter,
    changes,
    facility_quarter,
    ownership_change,
    peers,
    series_breaks,
    threshold_days,
    weekend_gap,
)
from nh_pipeline.marts.facility_month import FACILITY_MONTH, facility_month
from nh_pipeline.pipeline.gate import gate

pytestmark = [pytest.mark.integration, pytest.mark.every_mart]

Q2 = {"start": date(2024, 4, 1), "end": date(2024, 6, 30)}
A, B, C = "015001", "015002", "055003"


@pytest.fixture(scope="module")
def rows(engine):
    """A DataFrame of a table, of rows that name some of its columns; the others are NULL, or zero for hours."""

    def made(table, *given):
        def value(column, row):
            if column.name in row:
                found = row[column.name]
                return Decimal(str(found)) if column.type.name == "decimal" and found is not None else found
            kind = column.type.python
            return {Decimal: Decimal(0), bool: False, int: 0}.get(kind) if not column.nullable else None

        return engine.createDataFrame([tuple(value(c, row) for c in table.columns) for row in given], table.spark)

    return made


def built(mart, *frames, **bounds):
    """The rows of a mart, which must pass its gate."""
    done = mart.transform(*frames, **bounds).select(*mart.table.names)
    found = done.collect()
    refused = [(r.name, r.description, r.sample) for r in gate(mart.table, done, rows=len(found)) if not r.passed]
    assert not refused
    return sorted((row.asDict() for row in found), key=lambda r: tuple(str(r[g]) for g in mart.grain))


def worked(provider, work_date, census, rn, aide=0, **more):
    """A day with hours of registered nurses and aides."""
    hours = {
        "hrs_rn": rn,
        "hrs_cna": aide,
        "rn_hours": rn,
        "aide_hours": aide,
        "total_hours": rn + aide,
        "direct_care_hours": rn + aide,
    }
    state = "AL" if provider < "05" else "CA"
    return {
        "provider_id": provider,
        "work_date": work_date,
        "cy_qtr": "2024Q2",
        "state": state,
        "census": census,
        "lpn_hours": 0,
        "contract_hours": 0,
        "is_incomplete": False,
        **hours,
        **more,
    }


FRIDAY, SATURDAY, SUNDAY, MAY = (date(2024, 4, 5), date(2024, 4, 6), date(2024, 4, 7), date(2024, 5, 6))
DAYS = (
    worked(A, FRIDAY, 50, 10, 90),
    worked(A, SATURDAY, 50, 0, 50, contract_hours=25),
    worked(A, SUNDAY, 0, 4, 6),  # nobody there: in hours, not in HPRD, not in days below a line
    worked(A, MAY, 40, 7.5, 100),
    worked(B, FRIDAY, 10, 8, 20),
    worked(B, SATURDAY, 10, 0, 0, is_incomplete=True),  # cut off by CMS: no day below a line
    worked(C, FRIDAY, 100, 16, 200),
)


@pytest.fixture(scope="module")
def days(rows):
    return rows(FCT_STAFFING_LEVELS, *DAYS)


@pytest.fixture(scope="module")
def months(days):
    return facility_month(days)


def test_days_below_lines(rows, days):
    lines = rows(
        STAFFING_LINES["dim_staffing_lines"],
        {"line": "Two hours", "measure": "hprd_total", "below": 2, "source": "ours", "since": date(2024, 1, 1)},
    )
    found = {
        (r["provider_id"], r["month"].month, r["line"]): (r["days"], r["days_below"])
        for r in built(threshold_days.MART, days, lines)
    }
    none, few = (line[0] for line in threshold_days.ALWAYS)
    assert found == {
        (A, 4, none): (2, 1),
        (A, 4, few): (2, 1),
        (A, 4, "Two hours"): (2, 1),
        (A, 5, none): (1, 0),
        (A, 5, few): (1, 1),
        (A, 5, "Two hours"): (1, 0),
        (B, 4, none): (1, 0),
        (B, 4, few): (1, 0),
        (B, 4, "Two hours"): (1, 0),
        (C, 4, none): (1, 0),
        (C, 4, few): (1, 0),
        (C, 4, "Two hours"): (1, 0),
    }
    without = built(threshold_days.MART, days, rows(STAFFING_LINES["dim_staffing_lines"]))
    assert {r["line"] for r in without} == {none, few}


def test_weekends_beside_weekdays(months):
    found = {(r["provider_id"], r["staff"]): r for r in built(weekend_gap.MART, months, **Q2)}
    total = found[A, "total"]
    assert (total["weekday_hours"], total["weekday_resident_days"]) == (Decimal("207.50"), 90)
    assert (total["weekend_hours"], total["weekend_resident_days"]) == (Decimal("50.00"), 50)  # not Sunday's
    assert total["gap"] == 207.5 / 90 - 1.0
    assert total["gap_share"] == (207.5 / 90 - 1.0) / (207.5 / 90)
    assert found[C, "total"]["weekend_hprd"] is None  # nothing to divide by
    assert found[C, "total"]["gap"] is None
    assert found[B, "rn"]["gap"] == 0.8


@pytest.fixture(scope="module")
def quarter(rows, months):
    """Facility quarters of the three homes, and what they are made of."""

    def home(provider, release, **more):
        return {
            "provider_id": provider,
            "release": release,
            "provider_name": "Home",
            "certified_beds": 50,
            "ownership_type": "For profit - Corporation",
            "delivery_id": "x",
            "state": "AL",
            **more,
        }

    june, july, october = date(2024, 6, 1), date(2024, 7, 1), date(2024, 10, 1)
    releases = rows(
        FCT_PROVIDER_RELEASES,
        home(A, date(2024, 4, 1), chain_id="7", chain_name="Old"),
        home(A, june, chain_id="9", chain_name="Chain"),
        home(A, july, chain_id="1"),
        home(A, october, reported_total_hprd=2.67857, total_nursing_turnover=40),
        home(B, october, chain_id="9", chain_name="Chain", ownership_type="Non profit - Other"),
        home(B, date(2024, 11, 1), chain_id="2", reported_total_hprd=9),
    )
    interval = {"measure_code": "STAFFING_LEVELS", "from_date": Q2["start"], "through_date": Q2["end"]}
    intervals = rows(
        DATA_COLLECTION_INTERVALS["fct_data_collection_intervals"],
        *({**interval, "release": day} for day in (october, date(2024, 11, 1))),
        {**interval, "release": july, "from_date": date(2024, 1, 1), "through_date": date(2024, 3, 31)},
    )
    cited = {"release": october, "provider_id": A, "deficiency_tag": "0600", "nth": 1}
    citations = rows(
        HEALTH_CITATIONS["fct_health_citations"],
        {**cited, "survey_date": date(2024, 5, 1), "scope_severity": "J"},
        {**cited, "survey_date": date(2024, 6, 30), "scope_severity": "D"},
        {**cited, "survey_date": date(2024, 7, 1), "scope_severity": "L"},
    )
    months = months.select(*FACILITY_MONTH.names)
    frames = months, releases, intervals, citations, rows(PENALTIES["fct_penalties"])
    return built(facility_quarter.MART, *frames, **Q2), releases


def test_a_quarter_of_a_home(quarter):
    a, b, c = quarter[0]
    assert (a["days"], a["days_with_residents"], a["days_no_rn"], a["days_rn_under_8h"]) == (4, 3, 1, 2)
    assert (a["resident_days"], a["average_census"], a["occupancy_rate"]) == (140, 35.0, 140 / 200)
    assert a["hprd_total"] == 257.5 / 140
    assert a["hprd_rn"] == 17.5 / 140
    assert a["hprd_weekend_total"] == 1.0
    assert a["hprd_weekday_total"] == 207.5 / 90
    assert a["contract_share"] == 25 / 257.5
    # As June shows it, the last release of the quarter; reported by October, the first one that says so.
    assert (a["attributes_release"], a["chain_id"]) == (date(2024, 6, 1), "9")
    assert (a["reported_release"], a["reported_total_hprd"]) == (date(2024, 10, 1), Decimal("2.67857"))
    assert (a["health_citations"], a["harm_citations"], a["jeopardy_citations"]) == (2, 1, 1)
    assert (a["survey_release"], a["fines"], a["fine_dollars"]) == (date(2024, 10, 1), None, None)  # nothing known
    # B is first shown after the quarter, and has no citation; C by no release at all.
    assert (b["attributes_release"], b["chain_id"], b["health_citations"]) == (date(2024, 10, 1), "9", 0)
    assert (b["reported_release"], b["reported_total_hprd"]) == (date(2024, 10, 1), None)
    assert (c["attributes_release"], c["hprd_weekend_total"], c["health_citations"]) == (None, None, 0)
    assert [r["is_implausible"] for r in quarter[0]] == [False, True, False]  # 1.4 hours


def test_a_chain_and_its_homes(rows, quarter):
    homes = rows(facility_quarter.FACILITY_QUARTER, *quarter[0])
    (chain,) = built(chain_quarter.MART, homes, **Q2)
    assert (chain["chain_id"], chain["homes"], chain["states"], chain["resident_days"]) == ("9", 2, 1, 160)
    first, second = 257.5 / 140, 28 / 20
    assert chain["hprd_total_pooled"] == 285.5 / 160
    assert chain["hprd_total_facility_mean"] == pytest.approx((first + second) / 2, abs=1e-9)
    assert (chain["hprd_total_low"], chain["hprd_total_median"], chain["hprd_total_high"]) == (second, second, first)
    assert chain["contract_share_pooled"] == 25 / 285.5


def test_homes_among_their_like(rows):
    def home(n, value, **more):
        return {
            "provider_id": f"01500{n}",
            "quarter_start": Q2["start"],
            "cy_qtr": "2024Q2",
            "state": "AL",
            "certified_beds": 80,
            "hprd_total": value,
            "ownership_type": "For profit - Individual",
            **more,
        }

    homes = rows(
        facility_quarter.FACILITY_QUARTER,
        home(1, 3.0),
        home(2, 4.0),
        home(3, 4.0),
        home(4, 5.0),
        home(5, None),
        home(6, 9.0, certified_beds=40),
    )
    found = {r["provider_id"]: r for r in built(peers.MART, homes, **Q2)}
    assert {i: (r["n"], r["percentile"], r["group_median"]) for i, r in found.items()} == {
        "015001": (4, 12.5, 4.0),
        "015002": (4, 50.0, 4.0),
        "015003": (4, 50.0, 4.0),
        "015004": (4, 87.5, 4.0),
        "015006": (1, 50.0, 9.0),
    }
    assert (found["015006"]["size"], found["015006"]["ownership"]) == ("small", "for profit")


def test_what_a_release_changes(rows):
    june, august = date(2024, 6, 1), date(2024, 8, 1)

    def home(provider, release, **more):
        return {
            "provider_id": provider,
            "release": release,
            "delivery_id": "x",
            "state": "AL",
            "overall_rating": 3,
            "provider_name": "Home",
            "certified_beds": 50,
            **more,
        }

    releases = rows(
        FCT_PROVIDER_RELEASES,
        home(A, june, ownership_type="For profit", fines=1),
        home(B, june),
        home("015009", june),
        home(A, august, ownership_type="FOR PROFIT", overall_rating=None, overall_rating_footnote="18", fines=1),
        home(B, august, certified_beds=60, chain_id="5"),
        home(C, august),
    )
    found = [
        (r["provider_id"], r["what"], r["before"], r["after"], r["previous_release"])
        for r in built(changes.MART, releases, start=august, end=august)
    ]
    assert found == [
        (A, "overall_rating", "3", None, june),  # not its footnote nor chains, of which June knows none
        (B, "certified_beds", "50", "60", june),
        ("015009", "listed", "Y", "N", june),
        (C, "listed", "N", "Y", june),
    ]
    assert built(changes.MART, releases.where(f"release = date '{june}'"), start=june, end=june) == []


def test_a_change_of_owner_and_the_homes_without_one(rows):
    def home(provider, value, **more):
        return {
            "provider_id": provider,
            "quarter_start": Q2["start"],
            "cy_qtr": "2024Q2",
            "state": "AL",
            "hprd_total": value,
            "total_hours_with_residents": value * 100,
            "resident_days": 100,
            **more,
        }

    homes = rows(
        facility_quarter.FACILITY_QUARTER,
        home(A, 3.0),
        home(B, 4.0),
        home("015003", 6.0, resident_days=300, total_hours_with_residents=1800),
    )
    told = {"what": "changed_ownership", "after": "Y", "previous_release": date(2023, 12, 1)}
    known = rows(
        changes.CHANGES,
        {**told, "provider_id": A, "release": date(2024, 2, 1)},
        {**told, "provider_id": A, "release": date(2022, 3, 1)},  # nine quarters before
        {**told, "provider_id": B, "release": date(2024, 2, 1), "after": "N"},
        {**told, "provider_id": B, "release": date(2024, 2, 1), "what": "chain_id"},
    )
    (found,) = built(ownership_change.MART, homes, known, **Q2)
    assert (found["provider_id"], found["event"], found["quarters_since"]) == (A, "changed_owner", 1)
    assert (found["hprd_total"], found["n_unchanged"]) == (3.0, 2)
    assert found["hprd_total_unchanged_mean"] == 5.0
    assert found["hprd_total_unchanged_pooled"] == 2200 / 400


def test_breaks_in_series(rows):
    found = built(series_breaks.MART, rows(DIM_DATE, *({"date": date(2017, 1, n), "date_id": n} for n in (1, 2))))
    assert len(found) == len(series_breaks.BREAKS)
    assert found[0]["first_day"] == date(2020, 1, 1)
