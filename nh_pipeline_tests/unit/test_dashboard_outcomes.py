"""Own outcomes of homes on the dashboard, on made-up rows: what is shown, kept back, and beside what."""

from __future__ import annotations

import re
from datetime import date

import pytest

from dashboard.pages import EVERY, listed
from dashboard.paper import Paper
from dashboard.sections import facility, facility_outcomes, outcomes
from dashboard.words import NOTHING as DASH
from nh_pipeline.domains import VARIABLE
from nh_pipeline_tests.support.asking import asking
from nh_pipeline_tests.support.made_rows import every_table

CCN, OTHER, SMALL = "015009", "015010", "015011"
JAN, FEB, MAR = (date(2024, month, 1) for month in (1, 2, 3))


@pytest.fixture(scope="module")
def ask():
    db = every_table()

    def put(table, **values):
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        db.execute(f"insert into {table} ({names}) values ({marks})", [*values.values()])

    def month(ccn, day, admissions, again, ed, *, followed=True):
        put("clinical_gold.snf_months", provider_id=ccn, month_start=day, snf_admissions=admissions,
            rehospitalized_30d=again, ed_30d=ed, is_followed_up=followed, residents=40, resident_days=900)  # fmt: skip
        shown = {n: v if v >= 11 else None for n, v in (("a", admissions), ("r", again), ("e", ed))}
        put("gold.facility_outcomes", provider_id=ccn, month_start=day, snf_admissions=shown["a"],
            own_rehospitalized_30d=shown["r"], own_ed_30d=shown["e"],
            own_rehospitalization_rate=again / admissions if shown["r"] and shown["a"] and followed else None,
            own_ed_rate=None, residents=40, resident_days=900, hprd_total=3.5, rehospitalization_521=21.5,
            outpatient_ed_522=9.0, measure_period_521="20220701-20230630", months_behind=6 + day.month,
            is_followed_up=followed, is_suppressed=None in shown.values())  # fmt: skip

    month(CCN, JAN, 40, 12, 4)
    month(CCN, FEB, 40, 8, 7)
    month(CCN, MAR, 40, 20, 11, followed=False)
    month(OTHER, JAN, 30, 15, 2)
    month(OTHER, FEB, 50, 25, 3)
    month(SMALL, JAN, 30, 12, 11)
    month(SMALL, FEB, 10, 6, 2)
    put("silver.dim_providers", provider_id=OTHER, provider_name="OAK <b>", is_current=True, valid_from=JAN)
    for day, hours in ((JAN, 300), (FEB, 500)):
        put("gold.facility_month", provider_id=OTHER, month=day, total_hours_with_residents=hours, resident_days=100,
            state="AL")  # fmt: skip
    return asking(db)


def shown(section, *arguments, **more):
    page = Paper()
    section(page, *arguments, **more)
    return "".join(page.parts)


def rows(told):
    return [re.findall(r"<td[^>]*>(.*?)</td>", line) for line in told.split("<tr>")]


def test_homes_are_summed_up_over_the_months_that_are_followed_up(ask):
    assert outcomes.months(ask) == (JAN, date(2024, 2, 29))
    told = shown(outcomes.homes, ask, JAN, date(2024, 2, 29))
    (oak,) = (row for row in rows(told) if OTHER in row)
    assert oak == ["OAK &lt;b&gt;", OTHER, "80", "40", "50.0 %", "21.5 %", "&lt;11", DASH, "9.0 %", "4.00",
                   "Jul 1, 2022 to Jun 30, 2023, 8 months behind"]  # fmt: skip
    # 12 of January are shown: of 20 in both months, they would tell the 8 of February.
    (home,) = (row for row in rows(told) if row[:2] == [CCN, CCN])
    assert home[2:9] == ["80", DASH, DASH, "21.5 %", "11", "13.8 %", "9.0 %"]
    # Of 40 in both months, the 30 of January would tell the 10 of February, which is left out.
    (small,) = (row for row in rows(told) if SMALL in row)
    assert small[2:9] == ["30", "12", "40.0 %", "21.5 %", "11", "36.7 %", "9.0 %"]
    january = shown(outcomes.homes, ask, JAN, date(2024, 1, 31))
    (home,) = (row for row in rows(january) if row[:2] == [CCN, CCN])
    assert home[2:9] == ["40", "12", "30.0 %", "21.5 %", "&lt;11", DASH, "9.0 %"]
    assert "is followed up" in shown(outcomes.homes, ask, MAR, date(2024, 3, 31))


def test_homes_are_named(ask):
    assert outcomes.names(ask) == {OTHER: f"OAK <b> ({OTHER})", CCN: CCN, SMALL: SMALL}


def test_a_home_month_by_month_with_what_is_kept_back(ask):
    told = shown(facility_outcomes.by_month, ask, CCN, CCN)
    assert [row for row in rows(told) if row] == [
        ["Jan 2024", "40", "12", "30.0 %", "21.5 %", "&lt;11", DASH, "9.0 %", "3.50",
         "Jul 1, 2022 to Jun 30, 2023, 7 months behind", "fewer than 11"],
        ["Feb 2024", "40", "&lt;11", DASH, "21.5 %", "&lt;11", DASH, "9.0 %", "3.50",
         "Jul 1, 2022 to Jun 30, 2023, 8 months behind", "fewer than 11"],
        ["Mar 2024", "40", "20", DASH, "21.5 %", "11", DASH, "9.0 %", "3.50",
         "Jul 1, 2022 to Jun 30, 2023, 9 months behind", "not all are followed up yet"],
    ]  # fmt: skip
    assert "In Mar 2024, CMS&#x27;s measure 521 was of Jul 1, 2022 to Jun 30, 2023, 9 months behind." in told
    assert 'alt="Own rate of rehospitalization: 30.0 % in Jan 2024' in told


def test_a_report_on_a_home_has_its_own_outcomes_where_there_are_any(ask, monkeypatch):
    assert "Own outcomes by month" in shown(facility.report, ask, OTHER)
    assert shown(facility_outcomes.by_month, ask, "999999") == ""
    monkeypatch.setenv(VARIABLE, "cms")
    assert "Own outcomes" not in shown(facility.report, ask, OTHER)


@pytest.mark.parametrize(
    ("domains", "own"),
    [
        (("cms",), []),
        (("clinical",), ["Encounters and claims", "Population"]),
        (("cms", "clinical"), ["Outcomes", "Encounters and claims", "Population"]),
        (("treatments",), ["Treatments"]),
    ],
)
def test_pages_are_those_of_the_domains(domains, own):
    titles = [page.title for page in listed(domains)]
    assert [title for title in titles if title in {p.title for p in EVERY if p.menu}] == own
    assert ("Overview" in titles) == ("cms" in domains)
