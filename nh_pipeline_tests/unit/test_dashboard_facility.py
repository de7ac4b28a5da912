"""The page of a nursing home, on tables of a few rows whose figures are computed by hand."""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd
import pytest

from dashboard.footnotes import SEVERITY, footnote
from dashboard.paper import Paper
from dashboard.sections import (
    facility,
    facility_beside,
    facility_days,
    facility_incident,
    facility_lines,
    facility_quality,
    facility_record,
)
from dashboard.sections.facility_home import home, search
from nh_pipeline_tests.support.asking import asking
from nh_pipeline_tests.support.made_rows import every_table

CCN = "015009"
JAN = date(2024, 1, 1)  # a Monday
HOURS = ("rn", "lpn", "aide", "total", "direct_care", "contract")


class Seen:
    """A page that keeps what is shown on it."""

    def __init__(self):
        self.shown = []

    def __getattr__(self, name):
        return lambda *args, **more: self.shown.append((name, args, more))

    def table(self, rows, columns, *, name, source):
        self.shown.append(("table", (rows[list(columns)].reset_index(drop=True),), {"source": source}))

    def of(self, name):
        return [args[0] for kind, args, _ in self.shown if kind == name]


@pytest.fixture
def db():
    """All tables, empty."""
    return every_table()


def put(db, table, **values):
    db.execute(f"insert into {table} ({', '.join(values)}) values ({', '.join('?' * len(values))})", [*values.values()])


def version(db, start, end, **values):
    put(db, "silver.dim_providers", provider_id=CCN, valid_from=start, valid_to=end, is_current=end is None, **values)


def day(db, at, census, *, rn=8.0, lpn=10.0, aide=22.0, **flags):
    hours = dict(zip(HOURS, (rn, lpn, aide, rn + lpn + aide, rn + lpn + aide, 0), strict=True))
    put(
        db,
        "gold.facility_measures",
        provider_id=CCN,
        work_date=at,
        census=census,
        **{f"{k}_hours": h for k, h in hours.items()},
        **{f"hprd_{k}": hours[k] / census if census else None for k in ("total", "rn", "lpn", "aide")},
        **{flag: flags.get(flag, False) for flag in facility_days.MARKED},
    )


def month(db, at=JAN, *, resident_days=310, hours=1240.0):
    put(
        db,
        "gold.facility_month",
        provider_id=CCN,
        month=at,
        days=31,
        days_with_residents=31,
        resident_days=resident_days,
        **{f"{k}_hours_with_residents": hours for k in HOURS},
    )


def test_a_home_is_found_by_words_of_its_names_its_city_or_its_number(db):
    version(db, date(2023, 1, 1), date(2024, 1, 1), provider_name="OLD OAKS", city="Tampa", state="FL")
    version(db, date(2024, 1, 1), None, provider_name="NEW ELMS", city="Tampa", state="FL")
    put(db, "gold.facility_month", provider_id="01A001", month=JAN, state="AL")
    ask = asking(db)
    for what in ("elms tampa", "Oaks", "15009", "NEW"):
        assert list(search(ask, what)["told"]) == ["NEW ELMS · Tampa · FL · 015009"], what
    assert list(search(ask, "1a001")["told"]) == ["AL · 01A001"]
    for what in ("%", "_", "'; drop table silver.dim_providers", "oaks miami"):
        assert search(ask, what).empty, what


def test_a_number_without_its_zero_is_the_home_and_an_unknown_one_is_told(db):
    month(db)
    ask = asking(db)
    assert home(ask, " 15009 ").ccn == CCN
    with pytest.raises(LookupError, match="No nursing home with the CCN 999999"):
        home(ask, "999999")
    with pytest.raises(LookupError, match="CCN 000000"):
        facility.report(Paper(), ask, "")


def test_the_record_of_a_day_is_the_one_valid_then(db):
    version(db, date(2023, 1, 1), date(2024, 1, 1), provider_name="OLD", overall_rating=2)
    version(db, date(2024, 1, 1), None, provider_name="NEW", overall_rating=2)
    found = home(asking(db), CCN)

    def told(on):
        page = Seen()
        facility_record.as_it_was(page, found, lambda least, most: on)
        return page

    (last_day,) = told(date(2023, 12, 31)).of("table")
    assert last_day.iloc[0].tolist() == ["Name", "OLD", "NEW", "differs"]
    assert last_day.iloc[1].tolist() == ["Stars: overall", "2", "2", ""]
    (first_day,) = told(date(2024, 1, 1)).of("table")
    assert first_day.iloc[0].tolist() == ["Name", "NEW", "NEW", ""]
    assert "The first one that does is of Jan 1, 2023" in told(date(2022, 12, 31)).of("nothing")[0]
    assert told(None).of("table") == []


def test_a_home_that_left_the_releases_is_shown_as_last_listed(db):
    version(db, date(2023, 1, 1), date(2023, 6, 1), provider_name="GONE")
    for release in (date(2023, 5, 1), date(2023, 6, 1)):
        put(
            db,
            "silver.fct_provider_releases",
            release=release,
            provider_id=CCN if release.month == 5 else "015010",
            provider_name="GONE",
            overall_rating_footnote="18",
            special_focus_status="SFF",
        )
    page = Seen()
    facility_record.head(page, home(asking(db), CCN))
    assert page.of("warning")[0].startswith("Last listed in the release of May 1, 2023")
    assert page.of("warning")[1].startswith("Special Focus Facility")
    overall = page.of("figures")[0][0]
    assert (overall.value, overall.note.split(" · ")[0]) == (
        "none",
        "not rated: Special Focus Facility, with a history of serious quality issues",
    )


def test_a_week_has_mean_hours_of_its_days_and_pooled_ratios(db):
    day(db, JAN, 10)  # 40 hours
    day(db, JAN + timedelta(days=1), 30, rn=60.0)  # 92 hours
    day(db, JAN + timedelta(days=2), 0, is_zero_census=True)  # 40 hours that no resident had
    week = facility_days.weeks(asking(db), CCN, JAN, JAN + timedelta(days=6)).iloc[0]
    assert week["total_hours"] == pytest.approx((40 + 92 + 40) / 3)
    assert week["census"] == pytest.approx(40 / 3)
    assert week["hprd_total"] == pytest.approx((40 + 92) / 40)
    assert week["is_zero_census"]
    assert not week["is_incomplete"]


def test_the_calendar_tells_no_nurse_from_few_hours_and_leaves_out_what_does_not_count(db):
    days = [(10, 8.0, {}), (10, 7.99, {}), (10, 0.0, {}), (0, 0.0, {}), (10, 0.0, {"is_incomplete": True})]
    for n, (census, rn, flags) in enumerate(days):
        day(db, JAN + timedelta(days=n), census, rn=rn, **flags)
    rows = facility_days.days(asking(db), CCN, JAN, JAN + timedelta(days=6))
    nurses = facility_lines.marked(rows, None)
    assert list(nurses["state"]) == ["fine", "less", "below", "not", "not"]
    assert list(nurses["weekday"]) == ["Mon", "Tue", "Wed", "Thu", "Fri"]
    assert set(nurses["week"]) == {pd.Timestamp(JAN)}
    # 4.0, 3.999 and 3.2 hours per resident day: a day on the line is not below it
    line = facility_lines.marked(rows, pd.Series({"measure": "hprd_total", "below": 4.0}))
    assert list(line["state"]) == ["fine", "below", "below", "not", "not"]


def test_days_below_are_summed_over_the_months_with_how_many_count(db):
    for n, (days, below) in enumerate(((31, 2), (29, 1))):
        put(
            db,
            "gold.threshold_days",
            provider_id=CCN,
            month=date(2024, n + 1, 1),
            line="Mine",
            measure="hprd_rn",
            below=0.5,
            source="a study",
            days=days,
            days_below=below,
        )
    month(db)
    ask, page, offered = asking(db), Seen(), []
    facility_lines.days_below(
        page, ask, home(ask, CCN), JAN, date(2024, 2, 29), choose=lambda known: offered.extend(known) or known[0]
    )
    (rows,) = page.of("table")
    assert rows["of"].tolist() == ["3 of 60"]
    assert rows["share"].tolist() == [pytest.approx(0.05)]
    assert offered == [facility_lines.NURSES, "Mine: registered nurse hours per resident day below 0.5"]
    assert "no times of shifts" in page.shown[0][1][1]


def test_days_around_an_incident_stand_beside_the_same_weekday_before(db):
    incident = date(2024, 3, 4)  # a Monday
    for weeks, census, aide in ((4, 10, 22.0), (3, 20, 82.0), (2, 0, 500.0), (1, 30, 22.0), (0, 10, 2.0)):
        day(db, incident - timedelta(weeks=weeks), census, aide=aide, is_zero_census=census == 0)
    day(db, incident - timedelta(days=1), 10)  # a Sunday, the only one
    day(db, incident + timedelta(weeks=1), 10, aide=1000.0)
    rows = facility_days.days(asking(db), CCN, incident - timedelta(days=30), incident + timedelta(days=30))
    shown = facility_incident.compared(rows, incident).set_index("since")
    at = shown.loc[0]
    assert at["usual_total_hours"] == pytest.approx((40 + 100 + 40) / 3)
    assert at["usual_hprd"] == pytest.approx((40 + 100 + 40) / (10 + 20 + 30))
    assert at["hprd_difference"] == pytest.approx(20 / 10 - 3)
    assert at["marked"] == "incident"
    assert shown.loc[7, "usual_hprd"] == pytest.approx(3)
    assert shown.loc[-1, "usual_hprd"] == pytest.approx(4)
    assert shown.loc[-14, "marked"] == "no residents"


def test_our_figure_stands_beside_the_one_of_cms(db):
    release = date(2024, 10, 1)
    month(db, date(2024, 4, 1))
    put(db, "gold.reconciliation_summary", release=release, rule="reported_total_hprd", level="facility")
    put(
        db,
        "silver.fct_data_collection_intervals",
        release=release,
        measure_code="STAFFING_LEVELS",
        from_date=date(2024, 4, 1),
        through_date=date(2024, 6, 30),
    )
    for rule, theirs, verdict in (("reported_total_hprd", 4.0, "equal"), ("reported_rn_hprd", 3.9, "mismatch")):
        put(
            db,
            "gold.reconciliation",
            release=release,
            rule=rule,
            level="facility",
            entity=CCN,
            ours=4.0,
            theirs=theirs,
            verdict=verdict,
        )
    ask, page = asking(db), Seen()
    facility_beside.beside_cms(page, ask, home(ask, CCN))
    total, nurses = page.of("figures")[0]
    assert (total.value, total.proof.told, total.proof.agrees) == ("4.00000", "CMS: 4.00000, equal", True)
    assert total.note.startswith("recomputed from 31 days · Apr 1 to Jun 30, 2024")
    assert (nurses.proof.told, nurses.proof.agrees) == ("CMS: 3.90000, mismatch", False)


def test_few_peers_are_told(db):
    month(db)
    put(
        db,
        "gold.peers",
        provider_id=CCN,
        quarter_start=JAN,
        cy_qtr="2024Q1",
        state="AL",
        size="small",
        ownership="for profit",
        measure="contract_share",
        value=0.125,
        n=4,
        percentile=62.5,
        group_median=0.1,
    )
    ask, page = asking(db), Seen()
    facility_beside.among_peers(page, ask, home(ask, CCN), date(2024, 2, 1), date(2024, 3, 31))
    assert page.of("warning") == ["Only 4 homes in this group: a percentile says little."]
    (rows,) = page.of("table")
    assert rows.iloc[0].tolist() == ["Share of contract staff in all hours", "12.5 %", "10.0 %", 62, 4]


def test_penalties_that_were_taken_back_are_left_out(db):
    month(db)
    for amount, ended in ((1000, "current"), (500, "aged"), (7000, "gone")):
        put(
            db,
            "gold.penalties",
            provider_id=CCN,
            penalty_date=JAN,
            penalty_type="Fine",
            fine_amount=amount,
            last_release=JAN,
            ended=ended,
        )
    ask, page = asking(db), Seen()
    facility_quality.penalties(page, ask, home(ask, CCN))
    fines, dollars, denials = page.of("figures")[0]
    assert (fines.value, dollars.value, denials.value) == ("2", "$1,500", "0")
    assert "1 withdrawn or changed, left out" in fines.note


def test_citations_have_the_words_of_their_tags_and_severity(db):
    month(db)
    put(db, "silver.dim_citation_tags", deficiency_prefix="F", deficiency_tag="0600", deficiency_description="Protect")
    for tag, letter in (("0600", "J"), ("0999", "D")):
        put(
            db,
            "gold.citations",
            survey_type="health",
            provider_id=CCN,
            survey_date=JAN,
            deficiency_prefix="F",
            deficiency_tag=tag,
            deficiency_category="Others",
            scope_severity=letter,
            is_current=True,
        )
    ask, page = asking(db), Seen()
    facility_quality.citations(page, ask, home(ask, CCN))
    (rows,) = page.of("table")
    assert rows[["tag", "what", "severity"]].to_numpy().tolist() == [
        ["F-0600", "Protect", "J: immediate jeopardy, isolated"],
        ["F-0999", "Others", "D: more than minimal harm possible, isolated"],
    ]
    assert [f.value for f in page.of("figures")[0]] == ["2", "1", "1", "0"]


def test_a_blank_measure_says_why(db):
    month(db)
    put(
        db,
        "silver.dim_claims",
        provider_id=CCN,
        measure_code="551",
        footnote="9",
        measure_period="20230401-20240331",
        valid_from=JAN,
    )
    ask, page = asking(db), Seen()
    facility_quality.measures(page, ask, home(ask, CCN))
    (rows,) = page.of("table")
    told = rows.iloc[0]
    assert told["why"] == "too few residents or stays to report"
    assert told["period"] == "Apr 1, 2023 to Mar 31, 2024"
    assert pd.isna(told["adjusted"])


def test_footnotes_and_severities_are_words():
    assert footnote("9, 28") == "too few residents or stays to report; a measure of a whole year: no quarters"
    assert footnote("77") == "footnote 77"
    assert [footnote(None), footnote(float("nan")), footnote("")] == ["", "", ""]
    assert len(SEVERITY) == 12
    assert SEVERITY["L"] == "L: immediate jeopardy, widespread"


def test_a_report_is_whole_with_staffing_alone_and_without_it(db):
    month(db)
    for n in range(31):
        day(db, JAN + timedelta(days=n), 10, is_implausible_hours=n == 3)
    put(
        db,
        "gold.changes",
        release=date(2024, 1, 15),
        provider_id=CCN,
        what="provider_name",
        before="<b>OLD</b>",
        after="NEW",
    )
    page = Paper()
    facility.report(page, asking(db), CCN)
    assert "Nursing home 015009" in page.html("")
    assert "31 days · CMS, Payroll-Based Journal, daily nurse staffing · Jan 1 to Jan 31, 2024" in page.html("")
    assert "1 day marked: more than 24 nurse hours per resident" in page.html("")
    assert "Name: &lt;b&gt;OLD&lt;/b&gt; became NEW" in page.html("")
    db.execute("delete from gold.facility_month")
    version(db, JAN, None, provider_name="ELMS")
    page = Paper()
    facility.report(page, asking(db), CCN)
    assert "No daily staffing of this home is in this lake" in page.html("")


def test_changes_of_the_home_and_breaks_of_the_series_are_told_in_their_order(db):
    for series, at in (("daily staffing", date(2024, 2, 1)), ("fines", date(2024, 2, 2))):
        put(db, "gold.series_breaks", first_day=at, kind="coverage", series=series, what=f"{series} are otherwise")
    for what, before, after in (("chain_name", None, "ELMS"), ("fines", "1", "2"), ("provider_name", "OAKS", "Oaks")):
        put(db, "gold.changes", release=date(2024, 3, 1), provider_id=CCN, what=what, before=before, after=after)
    found = facility_days.events(asking(db), CCN, JAN, date(2024, 12, 31))
    assert found["what"].tolist() == ["daily staffing are otherwise", "Chain: – became ELMS"]  # noqa: RUF001
    assert found["n"].tolist() == ["1", "2"]
    assert facility_days.events(asking(db), CCN, JAN, date(2024, 1, 31)).empty


def test_the_line_of_residents_is_broken_where_days_are_not_reported(db):
    for n in (0, 1, 5):
        day(db, JAN + timedelta(days=n), 10 + n)
    month(db)
    ask, page = asking(db), Seen()
    facility_days.by_day(page, ask, home(ask, CCN), JAN, date(2024, 1, 31))
    drawn = page.of("chart")[1].data
    assert drawn["census"].fillna(0).tolist() == [10, 11, 0, 15]
    assert drawn["day"].iloc[2] == pd.Timestamp(2024, 1, 3)


@pytest.mark.parametrize(
    ("hours", "resident_days", "said"),
    [
        (1200, 200, "from 4.00 to 6.00 as residents became fewer: 10.0 to 6.5 a day"),
        (1300, 300, ""),  # more hours
        (1200, 310, ""),  # less hours per resident day
    ],
)
def test_a_rise_that_comes_of_fewer_residents_is_told(hours, resident_days, said):
    months = pd.date_range("2023-01-01", periods=12, freq="MS")
    before = pd.DataFrame({"month": months, "days": 31, "resident_days": 310, "total_hours": 1240.0})
    now = before.assign(month=months + pd.DateOffset(years=1), resident_days=resident_days, total_hours=float(hours))
    told = facility_days.fewer_residents(pd.concat([before, now]))
    assert said in told
    assert bool(told) == bool(said)
    assert facility_days.fewer_residents(now) == ""
    assert facility_days.fewer_residents(pd.concat([before.iloc[1:], now])) == ""
