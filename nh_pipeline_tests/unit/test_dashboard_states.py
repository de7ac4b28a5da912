"""The nation, the states and staffing beside quality, on a few hand-made rows whose figures are computed by hand."""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd
import pytest

from dashboard import words
from dashboard.filters import DAYS, Filters, before
from dashboard.maps import TILES, shapes
from dashboard.paper import Paper
from dashboard.sections import overview, relations, staffing, states
from nh_pipeline.queries.views import translated
from nh_pipeline_tests.support.asking import asking
from nh_pipeline_tests.support.made_rows import every_table

FEB = Filters(date(2024, 2, 1), date(2024, 2, 29))
QUARTER = date(2024, 1, 1)
SATURDAY, MONDAY = date(2024, 2, 3), date(2024, 2, 5)


class Seen(Paper):
    """A sheet that keeps figures, tables and charts as they were given to it."""

    def __init__(self):
        super().__init__()
        self.numbers, self.tables, self.charts = {}, [], []

    @property
    def text_of_all(self):
        return "".join(self.parts)

    def figures(self, figures):
        super().figures(figures)
        self.numbers |= {figure.label: figure for figure in figures}

    def table(self, rows, columns, *, name, source):
        super().table(rows, columns, name=name, source=source)
        self.tables.append(rows)

    def chart(self, chart, *, name, alt, source, data):
        super().chart(chart, name=name, alt=alt, source=source, data=data)
        self.charts.append((chart.to_dict(), alt, source))


@pytest.fixture
def db():
    """All tables, empty, but for the calendar of February 2024."""
    db = every_table()
    for n in range(29):
        day = FEB.start + timedelta(n)
        put(db, "silver.dim_date", date=day, is_weekend=day.weekday() >= 5)
    return db


def put(db, table, **values):
    names = ", ".join(f'"{name}"' for name in values)
    db.execute(f"insert into {table} ({names}) values ({', '.join('?' * len(values))})", [*values.values()])


def day(db, ccn, state, at, census, *, rn=0, lpn=0, aide=0, contract=0, incomplete=False):
    hours = {"rn": rn, "lpn": lpn, "aide": aide, "total": rn + lpn + aide, "direct_care": 0, "contract": contract}
    put(db, "gold.facility_measures", provider_id=ccn, state=state, work_date=at, census=census,
        is_incomplete=incomplete, **{f"{kind}_hours": h for kind, h in hours.items()})  # fmt: skip


@pytest.fixture
def homes(db):
    """A large home of Texas and a small one of Ohio, on a Saturday and a Monday.

    Texas: 100 residents, 200 + 400 hours. Ohio: 10 residents, 30 + 50 hours, no RN on Saturday; and a day without
    residents, and one that is cut off.
    """
    day(db, "450001", "TX", SATURDAY, 100, rn=20, lpn=30, aide=150, contract=60)
    day(db, "450001", "TX", MONDAY, 100, rn=40, lpn=60, aide=300)
    day(db, "360001", "OH", SATURDAY, 10, lpn=10, aide=20)
    day(db, "360001", "OH", MONDAY, 10, rn=7, lpn=13, aide=30)
    day(db, "360001", "OH", MONDAY + timedelta(1), 0, rn=8)
    day(db, "360001", "OH", MONDAY + timedelta(2), 10, rn=0, incomplete=True)
    return db


def month(db, ccn, state, **values):
    sums = {f"{kind}_hours_with_residents": 0 for kind in words.STAFF}
    put(db, "gold.facility_month", provider_id=ccn, state=state, month=FEB.start, **{**sums, **values})


@pytest.fixture
def months(homes):
    """The same homes by month."""
    month(homes, "450001", "TX", days=2, days_with_residents=2, days_incomplete=0, resident_days=200,
          weekend_resident_days=100, days_no_rn=0, days_rn_under_8h=0, rn_hours_with_residents=60,
          lpn_hours_with_residents=90, aide_hours_with_residents=450, total_hours_with_residents=600,
          contract_hours_with_residents=60, weekend_total_hours_with_residents=200)  # fmt: skip
    month(homes, "360001", "OH", days=4, days_with_residents=3, days_incomplete=1, resident_days=30,
          weekend_resident_days=10, days_no_rn=1, days_rn_under_8h=2, rn_hours_with_residents=7,
          lpn_hours_with_residents=23, aide_hours_with_residents=50, total_hours_with_residents=80,
          weekend_total_hours_with_residents=30)  # fmt: skip
    return homes


def test_hours_are_summed_up_before_they_are_divided_and_the_mean_of_homes_stands_beside(homes):
    row = staffing.pooled(asking(homes), Filters(SATURDAY, FEB.end)).iloc[0]
    assert row["resident_days"] == 230
    assert row["hprd_total"] == pytest.approx(680 / 230)
    assert row["mean_hprd_total"] == pytest.approx((600 / 200 + 80 / 30) / 2)
    assert row["contract_share"] == pytest.approx(60 / 680)
    assert row["hprd_weekend"] == pytest.approx(230 / 110)
    assert row["weekend_ratio"] == pytest.approx((230 / 110) / (450 / 120))
    # The day without residents and the one that CMS cut off are no days to count.
    assert (row["days_counted"], row["days_no_rn"], row["days_rn_under_8h"]) == (4, 1, 2)
    assert row["no_rn_share"] == 0.25


def test_whole_months_give_what_their_days_give(months):
    ask = asking(months)
    assert FEB.of_months
    by_month = staffing.pooled(ask, FEB, "m.state")
    months.execute("delete from gold.facility_month")
    assert staffing.pooled(ask, FEB, "m.state").empty
    by_day = staffing.pooled(ask, Filters(SATURDAY, FEB.end), "m.state")
    pd.testing.assert_frame_equal(by_month, by_day)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ((2024, 4, 1), (2024, 6, 30), ((2024, 1, 1), (2024, 3, 31))),
        ((2024, 1, 1), (2024, 1, 31), ((2023, 12, 1), (2023, 12, 31))),
        ((2023, 11, 1), (2024, 2, 29), ((2023, 7, 1), (2023, 10, 31))),
        ((2024, 4, 2), (2024, 4, 8), ((2024, 3, 26), (2024, 4, 1))),
    ],
)
def test_the_period_before_is_as_many_months_or_as_many_days(start, end, expected):
    found = before(Filters(date(*start), date(*end), states=("TX",)))
    assert (found.start, found.end) == (date(*expected[0]), date(*expected[1]))
    assert found.states == ("TX",)


def test_days_and_attributes_are_not_read_from_months():
    for more in ({"days": "weekends"}, {"chain": "7"}, {"sizes": ("small",)}, {"urban": "Y"}):
        assert not Filters(FEB.start, FEB.end, **more).of_months
    assert not Filters(SATURDAY, FEB.end).of_months


def test_parts_with_few_homes_are_no_nation():
    rows = pd.DataFrame({"part": [1, 2, 3], "homes": [100, 10, 9]})
    assert list(staffing.comparable(rows)["part"]) == [1, 2]


def test_the_overview_tells_each_figure_with_what_it_is_of(months):
    page = Seen()
    overview.at_a_glance(page, asking(months), FEB)
    values = {label: figure.value for label, figure in page.numbers.items()}
    assert values["Nurse hours per resident day, all homes pooled"] == "2.96"
    assert values["Nurse hours per resident day, mean of homes"] == "2.83"
    assert values["Weekends against weekdays, hours per resident day"] == "55.8 %"
    assert values["Days with no registered nurse"] == "25.0 %"
    assert "1 day of 4 days with residents" in page.numbers["Days with no registered nurse"].note
    assert all("Feb 1 to Feb 29, 2024" in figure.note for figure in page.numbers.values())


def test_the_overview_names_the_period_before(months):
    months.execute("insert into gold.facility_month select * replace (date '2024-01-01' as month) "
                   "from gold.facility_month")  # fmt: skip
    page = Seen()
    overview.at_a_glance(page, asking(months), FEB)
    assert page.numbers["Hours of contract staff"].change == "8.8 % in Jan 1 to Jan 31, 2024"


def test_weekends_are_held_against_weekdays_only_where_both_are_shown(months):
    for shown in DAYS:
        page = Seen()
        overview.at_a_glance(page, asking(months), Filters(FEB.start, FEB.end, days=shown))
        assert ("Weekends against weekdays, hours per resident day" in page.numbers) == (shown == "all")


def test_the_mean_of_a_quarter_stands_beside_that_of_cms(db):
    ask, first = asking(db), Filters(QUARTER, date(2024, 3, 31))
    month(db, "450001", "TX", days=29, days_with_residents=29, days_incomplete=0, resident_days=100,
          weekend_resident_days=0, days_no_rn=0, days_rn_under_8h=0, total_hours_with_residents=371.6,
          weekend_total_hours_with_residents=0)  # fmt: skip
    put(db, "gold.facility_quarter", quarter_start=QUARTER, reported_release=date(2024, 7, 1))
    for place, value in (("NATION", 3.72149), ("TX", 3.9)):
        put(db, "silver.fct_state_averages", release=date(2024, 7, 1), state_or_nation=place, reported_total_hprd=value)

    def proof(filters):
        page = Seen()
        overview.at_a_glance(page, ask, filters)
        found = page.numbers["Nurse hours per resident day, mean of homes"].proof
        return found and (found.told, found.agrees)

    assert proof(first) == ("CMS: 3.72 (Jul 1, 2024)", True)
    assert proof(Filters(first.start, first.end, states=("TX",))) == ("CMS: 3.90 (Jul 1, 2024)", None)
    assert proof(FEB) is None  # CMS averages whole quarters
    assert proof(Filters(first.start, first.end, states=("TX", "OH"))) is None


def test_nothing_in_the_lake_is_told_in_a_sentence(db):
    ask, page = asking(db), Seen()
    overview.at_a_glance(page, ask, FEB)
    overview.over_time(page, ask, FEB)
    overview.changed(page, ask)
    overview.reconciled(page, ask)
    states.on_a_map(page, ask, FEB, "hprd_rn")
    states.against_the_nation(page, ask, FEB, "TX", "hprd_rn")
    relations.relation(page, ask, FEB, "hprd_rn", "overall_rating")
    assert page.text_of_all.count("No staffing in this lake for Feb 1 to Feb 29, 2024") == 3
    assert "0 homes in this lake with both measures" in page.text_of_all
    assert not page.charts


def test_changes_are_counted_by_what_changed_and_stars_by_their_way(db):
    new, old = date(2025, 7, 1), date(2025, 6, 1)
    for ccn, state, what, was, now in (
        ("1", "TX", "overall_rating", "2", "4"),
        ("2", "TX", "overall_rating", "5", "1"),
        ("3", "OH", "overall_rating", None, "1"),
        ("3", "OH", "ownership_type", "A", "B"),
    ):
        put(db, "gold.changes", release=new, previous_release=old, provider_id=ccn, state=state, what=what, before=was,
            after=now)  # fmt: skip
    put(db, "gold.changes", release=old, previous_release=old, provider_id="1", what="listed")
    page = Seen()
    overview.changed(page, asking(db))
    shown = page.tables[0]
    assert list(zip(shown["what"], shown["homes"], shown["how"], strict=True)) == [
        ("Overall stars", 3, "1 have more stars, 1 fewer"),
        ("Kind of owner", 1, ""),
    ]
    overview.changed(page, asking(db), ("OH",))
    assert list(page.tables[1]["homes"]) == [1, 1]


def test_the_badge_counts_what_can_be_compared(db):
    counts = {"equal": 70, "rounding": 5, "held": 3, "revised_release": 1, "series_of_another_quarter": 0,
              "suppressed": 4, "input_missing": 15, "mismatch": 2}  # fmt: skip
    put(db, "gold.reconciliation_summary", n=100, **counts)
    page = Seen()
    overview.reconciled(page, asking(db))
    (figure,) = page.numbers.values()
    assert figure.value == "81"
    assert (figure.proof.told, figure.proof.agrees) == ("75 equal, 2 differ", False)
    assert "15 more need a file that is not in this lake" in figure.note
    assert "3 CMS keeps from before on purpose" in figure.note


def test_states_stand_in_order_and_are_all_shown_whichever_are_chosen(months):
    page, chosen = Seen(), Filters(FEB.start, FEB.end, states=("OH",))
    states.on_a_map(page, asking(months), chosen, "hprd_total")
    states.ranking(page, asking(months), chosen, "hprd_total")
    (table,) = page.tables
    assert list(table["state"]) == ["Texas", "Ohio"]
    assert list(table["pooled"]) == pytest.approx([3, 80 / 30])
    (_, told, _), (_, line, _) = page.charts
    assert "highest in Texas (3.00), lowest in Ohio (2.67)" in told
    assert "1 of 2 states are above all states pooled (2.96)" in line


@pytest.mark.parametrize("how", list(states.MAPS))
def test_a_map_can_be_drawn_either_way(months, how):
    page = Seen()
    states.on_a_map(page, asking(months), FEB, "contract_share", how)
    assert "data:image/svg+xml" in page.text_of_all


def test_a_state_stands_beside_the_nation(months):
    page = Seen()
    states.against_the_nation(page, asking(months), FEB, "OH", "hprd_total")
    rows = page.tables[0].set_index("measure")
    assert list(rows.loc["Days with no registered nurse"]) == ["50.0 %", "25.0 %", "50.0 %", "25.0 %"]


def test_every_state_has_a_tile_of_its_own_and_a_shape_of_its_name():
    assert set(words.STATES) - set(TILES) == {"VI"}
    assert len(set(TILES.values())) == len(TILES)
    shaped = {shape["properties"]["name"] for shape in shapes()["objects"]["states"]["geometries"]}
    assert shaped == {name for code, name in words.STATES.items() if code not in {"GU", "PR", "VI"}}


def quarter(db, n, x, y, **more):
    put(db, "gold.facility_quarter", provider_id=f"{n:06}", provider_name=f"HOME {n}", quarter_start=QUARTER,
        cy_qtr="2024Q1", hprd_total=x, overall_rating=y, is_implausible=more.get("is_implausible", False),
        state=more.get("state", "TX"), attributes_release=QUARTER)  # fmt: skip


def score(db, level, entity, value, n):
    put(db, "gold.kpi_readmission", level=level, entity=entity, measure="rehospitalization_521", release=QUARTER,
        period_start=QUARTER, period_end=QUARTER, facility_mean=value, n=n)  # fmt: skip


def test_a_fitted_line_and_medians_are_of_all_homes_that_are_believed(db):
    for n in range(40):
        quarter(db, n, 2 + n / 10, 1 + n % 4)
        score(db, "facility", f"{n:06}", 30 - 2 * (2 + n / 10), 1)
    score(db, "nation", "NATION", 20, 40)
    quarter(db, 99, 50, 5, is_implausible=True)
    page = Seen()
    relations.relation(page, asking(db), FEB, "hprd_total", "rehospitalization_521")
    assert page.numbers["Correlation (r)"].value == "-1.00"
    assert page.numbers["Fitted line"].value == "-2"
    assert "40 homes" in page.numbers["Fitted line"].note
    (tenths,) = page.tables
    assert list(tenths["n"]) == [4] * 10
    assert tenths["median"].iloc[0] == pytest.approx(30 - 2 * 2.15)
    assert "no figure here shows a cause" in page.text_of_all


@pytest.mark.parametrize("shape", list(relations.SHAPES))
def test_drawn_are_few_homes_or_cells_and_it_is_told(db, shape):
    db.execute(
        "insert into gold.facility_quarter (provider_id, provider_name, state, quarter_start, cy_qtr, hprd_total, "
        "overall_rating, is_implausible, attributes_release) select cast(100000 + i as varchar), 'HOME', 'TX', "
        "date '2024-01-01', '2024Q1', 1 + (i * 7919 % 5000) / 1000.0, 1 + i % 5, false, date '2024-01-01' "
        "from range(5000) as r(i)"
    )
    page = Seen()
    relations.relation(page, asking(db), FEB, "hprd_total", "overall_rating", shape=shape)
    spec, _, source = page.charts[0]
    drawn = max(len(rows) for rows in spec["datasets"].values())
    assert drawn <= (relations.MOST_DRAWN if shape == "homes" else relations.CELLS * 5)
    assert ("one home in 3 drawn, in the order of CCN" in source) == (shape == "homes")
    assert "50 homes with extreme values not drawn" in source


def test_a_relation_of_few_homes_is_not_told(db):
    for n in range(relations.FEWEST - 1):
        quarter(db, n, n, n % 5)
    page = Seen()
    relations.relation(page, asking(db), FEB, "hprd_total", "overall_rating")
    assert "19 homes in this lake with both measures" in page.text_of_all
    assert not page.numbers


def test_all_questions_can_be_put_to_athena(months):
    asked, ask = [], asking(months)

    def noting(sql, *parameters):
        asked.append(sql)
        return ask(sql, *parameters)

    some = Filters(SATURDAY, FEB.end, "weekdays", ("TX",), ("for profit",), ("small",), "7", "Y")
    for filters in (FEB, some):
        overview.at_a_glance(Seen(), noting, filters)
        overview.over_time(Seen(), noting, filters)
        states.on_a_map(Seen(), noting, filters, "hprd_rn")
        for y in ("overall_rating", "falls_410"):
            relations.relation(Seen(), noting, filters, "hprd_rn", y)
    overview.changed(Seen(), noting, ("TX",))
    overview.freshness(Seen(), noting, FEB.end)
    overview.reconciled(Seen(), noting)
    for sql in asked:
        assert "gold" in translated(sql, "athena") or "silver" in translated(sql, "athena")
