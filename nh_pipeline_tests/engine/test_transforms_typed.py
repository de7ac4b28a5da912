"""PBJ lines become facts or rejects, each line exactly once."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from pyspark.sql import functions as F

from nh_pipeline.datasets.cms.daily_nurse_staffing import DAILY_NURSE_STAFFING as STAFFING
from nh_pipeline.datasets.cms.daily_nurse_staffing import FCT_STAFFING_LEVELS, roll_up
from nh_pipeline.model.table import REJECTS
from nh_pipeline.pipeline.gate import gate
from nh_pipeline.transforms import typed
from nh_pipeline.transforms.rejects import rejects
from nh_pipeline_tests.support.declared import BRONZE, HOUR_COLUMNS, STAFF_GROUPS

pytestmark = pytest.mark.integration
BRONZE_STAFFING = BRONZE["daily_nurse_staffing"]
QUARTER = "2024Q2"


def line(nth: int, **cells: str | None) -> dict[str, object]:
    """A valid line; hours are 0 unless given."""
    valid = {"provider_id": "015009", "work_date": "20240401", "cy_qtr": "2024Q2", "state": "AL", "census": "50"}
    lineage = {"source_line": nth, "layout": "x", "coverage": "2024Q2", "delivery_id": "d"}
    return {**dict.fromkeys(HOUR_COLUMNS, "0"), **valid, **cells, **lineage}


@pytest.fixture
def bronze(engine):
    def bronze(*lines: dict[str, object]):
        rows = [tuple(row.get(c) for c in BRONZE_STAFFING.names) for row in lines]
        return engine.createDataFrame(rows, BRONZE_STAFFING.spark)

    return bronze


COLUMNS = FCT_STAFFING_LEVELS.kind.typed(STAFFING)


def doubled(frame) -> bool:
    whatever, of_quarter = (typed.doubled_keys(frame, STAFFING, quarter=q).count() for q in ("", QUARTER))
    assert whatever == of_quarter
    return int(of_quarter) > 0


def judged(frame, *, doubled: bool):
    return typed.classified(frame, STAFFING, COLUMNS, quarter=QUARTER, doubled=doubled)


def made_of(lines):
    rows = roll_up(typed.exact(typed.accepted(lines, STAFFING, COLUMNS), COLUMNS))
    return rows.select(*FCT_STAFFING_LEVELS.names)


def facts_of(frame) -> list[dict[str, object]]:
    made = made_of(judged(frame, doubled=doubled(frame)))
    assert made.schema == FCT_STAFFING_LEVELS.spark
    return [row.asDict() for row in made.orderBy("provider_id", "work_date").collect()]


def reasons(frame) -> dict[int, str | None]:
    lines = judged(frame, doubled=doubled(frame))
    assert lines.columns == [*frame.columns, "reason"]
    return {row["source_line"]: row["reason"] for row in lines.collect()}


def test_rollups(bronze):
    # Powers of two: every sum names its parts.
    hours = {f"hrs_{group}": str(2**n) for n, group in enumerate(STAFF_GROUPS)}
    employees = {f"hrs_{group}_emp": str(2**n) for n, group in enumerate(STAFF_GROUPS)}
    contract = {f"hrs_{group}_ctr": "0.25" for group in STAFF_GROUPS}
    (fact,) = facts_of(bronze(line(2, **hours, **employees, **contract)))
    rndon, rnadmin, rn, lpnadmin, lpn, cna, natrn, medaide = (Decimal(2**n) for n in range(8))
    assert fact["rn_hours"] == rndon + rnadmin + rn
    assert fact["lpn_hours"] == lpnadmin + lpn
    assert fact["aide_hours"] == cna + natrn + medaide
    assert fact["total_hours"] == 255
    assert fact["direct_care_hours"] == rn + lpn + cna + natrn + medaide
    assert fact["contract_hours"] == 2
    assert fact["is_unbalanced"]


def test_values_and_lineage(bronze):
    cells = {"provider_id": " 12a456 ", "work_date": "2024-06-30", "census": "51.0", "state": "---"}
    (fact,) = facts_of(bronze(line(2, **cells, hrs_rn="28.8", hrs_rn_emp="28.80")))
    assert (fact["provider_id"], fact["work_date"], fact["census"]) == ("12A456", date(2024, 6, 30), 51)
    assert (fact["cy_qtr"], fact["state"], fact["delivery_id"]) == ("2024Q2", None, "d")
    assert (fact["hrs_rn"], fact["total_hours"], fact["is_unbalanced"]) == (Decimal("28.80"), Decimal("28.80"), False)


@pytest.mark.parametrize("quarter", ["2024q2", " 2024Q2 ", "2024 Q2"])
def test_a_quarter_as_landing_reads_it(bronze, quarter):
    (fact,) = facts_of(bronze(line(2, cy_qtr=quarter)))
    assert fact["cy_qtr"] == "2024Q2"


@pytest.mark.parametrize(
    ("cells", "flags"),
    [
        ({"census": "0"}, {"is_zero_census"}),
        ({"census": "0", "hrs_cna": "99", "hrs_cna_emp": "99"}, {"is_zero_census"}),
        ({"census": "2"}, {"is_missing_hours"}),
        ({"census": "2", "hrs_cna": "9", "hrs_cna_emp": "9", "incomplete": "1"}, {"is_incomplete"}),
        ({"census": "2", "hrs_cna": "9", "hrs_cna_emp": "9", "incomplete": "0"}, set()),
        ({"census": "2", "hrs_cna": "48", "hrs_cna_ctr": "48"}, set()),
        ({"census": "2", "hrs_cna": "48.01", "hrs_cna_ctr": "48.01"}, {"is_implausible_hours"}),
        ({"census": "2", "hrs_rn": "1.01", "hrs_rn_emp": "1"}, set()),
        ({"census": "2", "hrs_rn": "1", "hrs_rn_emp": "1.01"}, set()),
        ({"census": "2", "hrs_rn": "1", "hrs_rn_emp": "0.5", "hrs_rn_ctr": "0.48"}, {"is_unbalanced"}),
        # The groups' differences do not cancel out.
        ({"census": "2", "hrs_rn": "1", "hrs_lpn_emp": "1"}, {"is_unbalanced"}),
    ],
)
def test_flags(bronze, cells, flags):
    (fact,) = facts_of(bronze(line(2, **cells)))
    assert {name for name, value in fact.items() if name.startswith("is_") and value} == flags


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"hrs_lpn_ctr": "1,000"}, 'hrs_lpn_ctr: expected paid hours, at most two decimals, found "1,000"'),
        ({"hrs_rn": "-1"}, 'hrs_rn: expected paid hours, at most two decimals, found "-1"'),
        ({"hrs_rn": "1.005"}, 'hrs_rn: expected paid hours, at most two decimals, found "1.005"'),
        ({"hrs_cna": None}, "hrs_cna: expected paid hours, at most two decimals, found nothing"),
        ({"census": "fifty"}, 'census: expected a whole number of residents, found "fifty"'),
        ({"census": None}, "census: expected a whole number of residents, found nothing"),
        ({"work_date": "20240431"}, 'work_date: expected a date (yyyymmdd), found "20240431"'),
        ({"work_date": None}, "work_date: expected a date (yyyymmdd), found nothing"),
        ({"work_date": "20240331"}, "work_date: expected a day of 2024Q2, found 20240331 in 2024Q2"),
        ({"work_date": "20240701"}, "work_date: expected a day of 2024Q2, found 20240701 in 2024Q2"),
        ({"cy_qtr": "2024Q1"}, "work_date: expected a day of 2024Q2, found 20240401 in 2024Q1"),
        ({"cy_qtr": None}, "work_date: expected a day of 2024Q2, found 20240401 in no quarter"),
        (
            {"provider_id": "15009"},
            'provider_id: expected a CCN of six characters (12A456; a leading zero may be lost), found "15009"',
        ),
        (
            {"provider_id": "12A456\n"},
            'provider_id: expected a CCN of six characters (12A456; a leading zero may be lost), found "12A456\n"',
        ),
        (
            {"provider_id": None},
            "provider_id: expected a CCN of six characters (12A456; a leading zero may be lost), found nothing",
        ),
        # The first one counts.
        (
            {"provider_id": "x", "census": "y"},
            'provider_id: expected a CCN of six characters (12A456; a leading zero may be lost), found "x"',
        ),
    ],
)
def test_refused(bronze, cells, reason):
    frame = bronze(line(2, **cells), line(3))
    assert reasons(frame) == {2: reason, 3: None}
    assert len(facts_of(frame)) == 1


def twice(first: int) -> str:
    return f"provider_id, work_date: expected one line each, found it in line {first} too, which is kept"


def test_the_first_of_doubled_lines_is_kept(bronze):
    frame = bronze(
        line(5, hrs_cna="3"),
        line(2, hrs_cna="1"),  # kept: the first line, not the first row
        line(3, hrs_cna="1"),  # equal
        line(4, provider_id="015009 ", hrs_cna="2"),  # another value
        line(6, work_date="20240402"),
    )
    assert doubled(frame)
    assert reasons(frame) == {2: None, 3: twice(2), 4: twice(2), 5: twice(2), 6: None}
    assert [fact["hrs_cna"] for fact in facts_of(frame)] == [1, 0]


def test_a_day_written_differently_is_the_same_day(bronze):
    frame = bronze(line(2), line(3, work_date="2024-04-01"))
    assert reasons(frame) == {2: None, 3: twice(2)}


def test_a_refused_line_does_not_hide_a_good_one(bronze):
    frame = bronze(line(2, census="x"), line(3), line(4))
    assert reasons(frame) == {2: 'census: expected a whole number of residents, found "x"', 3: None, 4: twice(3)}


def test_nothing_is_doubled(bronze):
    unreadable = (line(n, work_date="20240431") for n in (5, 6))
    frame = bronze(line(2), line(3, work_date="20240402"), line(4, provider_id="015010"), *unreadable)
    assert not doubled(frame)
    # Numbering within keys changes nothing then.
    assert {r["source_line"]: r["reason"] for r in judged(frame, doubled=True).collect()} == reasons(frame)


def test_every_line_is_a_fact_or_a_reject(bronze):
    cells = [
        {},
        {},
        {"census": ""},
        {"work_date": "20240402"},
        {"provider_id": ""},
        {"hrs_rn": "x"},
        {"provider_id": "x"},
    ]
    frame = bronze(*(line(n, **c) for n, c in enumerate(cells, 2)))
    lines_judged = judged(frame, doubled=True)
    refused = rejects(frame, lines_judged, dataset=STAFFING, stage="fct_staffing_levels", file_names={"d": "PBJ.csv"})
    kept = {row["source_line"] for row in lines_judged.where("reason is null").collect()}
    lines = {row["source_line"]: row for row in refused.collect()}
    assert kept | lines.keys() == set(range(2, 9))
    assert not kept & lines.keys()
    assert len(facts_of(frame)) == len(kept) == 2
    seventh = lines[7]
    assert (seventh["stage"], seventh["file_name"], seventh["coverage"]) == (
        "fct_staffing_levels", "PBJ.csv", "2024Q2",
    )  # fmt: skip
    assert seventh["line"].startswith("015009,,,AL,,,2024Q2,20240401,50,0,")
    assert "extra_columns" not in seventh["line"]
    assert all(c.passed for c in gate(REJECTS, refused, rows=5))


def test_facts_pass_their_gate(bronze):
    frame = bronze(*(line(n, work_date=f"202404{n:02d}", hrs_rn="4", hrs_rn_emp="4") for n in range(2, 12)))
    made = made_of(judged(frame, doubled=False))
    assert [c.name for c in gate(FCT_STAFFING_LEVELS, made, rows=10) if not c.passed] == []
    wrong = made.withColumn("total_hours", F.expr("cast(total_hours + 1 as decimal(11,2))"))
    assert [c.name for c in gate(FCT_STAFFING_LEVELS, wrong, rows=10) if not c.passed] == ["rollups_add_up"]
