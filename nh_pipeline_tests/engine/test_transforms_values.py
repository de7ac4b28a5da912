"""Text of CMS files as typed values."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from pyspark.sql import functions as F

from nh_pipeline.landing.dates import ORDERS, read
from nh_pipeline.transforms import values
from nh_pipeline_tests.support.text_values import FIXED, TEXTS, read_all

pytestmark = pytest.mark.integration


@pytest.fixture
def typed(engine):
    def typed(sql: str, *texts: str | None) -> list[object]:
        frame = engine.createDataFrame(list(enumerate(texts)), "nth int, t string")
        return [row[1] for row in frame.select("nth", F.expr(sql)).orderBy("nth").collect()]

    return typed


def test_hours(typed):
    good = {
        "28.8": "28.8",
        "0": "0",
        ".5": "0.5",
        "12.340": "12.34",
        "12.": "12",
        " 7 ": "7",
        "1234567.89": "1234567.89",
    }
    assert typed(values.decimal("t", 9, 2), *good) == [Decimal(v) for v in good.values()]
    bad = [
        "1e3",
        "-1",
        "+1",
        "1,000",
        "12.345",
        "12345678",
        "",
        " ",
        ".",
        "NaN",
        "Infinity",
        "0x1",
        "1 2",
        "\t5",
        "5\n",
        None,
    ]
    assert typed(values.decimal("t", 9, 2), *bad) == [None] * len(bad)
    assert typed(values.is_decimal("t", 9, 2), *bad) == [False] * (len(bad) - 1) + [None]


@pytest.mark.parametrize("text", FIXED["decimal"])
def test_what_counts_as_a_decimal_can_be_cast(typed, text):
    # Else a line would be accepted, and the gate refuse the whole table for its NULL.
    assert typed(f"not {values.is_decimal('t', 9, 2)} or {values.checked_number('t')} is not null", text) == [True]


@pytest.mark.parametrize("text", FIXED["decimal"] + FIXED["integer"] + FIXED["ccn"])
def test_what_looks_plain_is_read(typed, text):
    # Else a line would be accepted without a closer look that cannot be read.
    assert typed(f"not {values.is_plain_decimal('t', 9, 2)} or {values.is_decimal('t', 9, 2)}", text) == [True]
    assert typed(f"not {values.is_plain_integer('t')} or {values.integer('t')} is not null", text) == [True]
    assert typed(f"not {values.is_plain_ccn('t')} or {values.ccn('t')} = t", text) == [True]


def test_whole_numbers(typed):
    assert typed(values.integer("t"), "5.0", "5", "05", " 5 ", "999999999", "10", "100.000") == [
        5,
        5,
        5,
        5,
        999999999,
        10,
        100,
    ]
    bad = ["5.5", "5.", "-1", "1,000", "9999999999", "five", "", "5\n", "5.0\n", None]
    assert typed(values.integer("t"), *bad) == [None] * len(bad)


def test_dates(typed):
    day = date(2024, 4, 1)
    written = [
        "20240401",
        "2024-04-01",
        "04/01/2024",
        "4/1/2024",
        " 20240401 ",
        "2024-04-01T00:00:00.000",
        "2024-04-01 00:00:00",
    ]
    assert typed(values.date("t"), *written) == [day] * len(written)
    assert typed(values.date("t"), "20240229", "02/29/2024") == [date(2024, 2, 29)] * 2
    impossible = ["20240230", "2024-13-01", "02/30/2023", "13/01/2024", "20230229", "2023-02-29", "20240400"]
    unreadable = ["2024", "2024Q2", "01-04-2024", "2024-4-1", "20240401\n", "1711929600", "2024-04-01x", "", None]
    assert typed(values.date("t"), *impossible, *unreadable) == [None] * len([*impossible, *unreadable])


TIMES = ["", " 0:00", " 00:00:00", "T00:00:00.000", " 12:00:00 AM", " 12:00am", "T00:00:00Z", " 00:00:00+00:00"]


@pytest.mark.parametrize("time", TIMES)
def test_dates_with_a_time(typed, time):
    day = date(2024, 8, 1)
    assert typed(values.date("t"), f"2024-08-01{time}", f"08/01/2024{time}", f" 8/1/2024{time} ") == [day] * 3
    for day_first, first in ((False, "8{}1"), (True, "1{}8")):
        texts = [f"{first.format(s)}{s}2024{time}" for s in "/-."]
        assert typed(values.date("t", day_first=day_first), *texts, f"2024-08-01{time}") == [day] * 4


def test_dates_in_either_order(typed):
    texts = ["01/08/2024", "13/02/2024", "02/13/2024", "1-8-2024", "01.08.2024", "20240801", "2024-08-01"]
    eighth, first = date(2024, 1, 8), date(2024, 8, 1)
    none, late = None, date(2024, 2, 13)
    assert typed(values.date("t"), *texts) == [eighth, none, late, none, none, first, first]
    assert typed(values.date("t", day_first=False), *texts) == [eighth, none, late, eighth, eighth, first, first]
    assert typed(values.date("t", day_first=True), *texts) == [first, late, none, first, first, first, first]
    wrong = [
        "1/8-2024", "1.8/2024", "1/8/24", "1/8/2024x", "1/8/2024 x", "1/8/2024 31:00", "1/8/2024 0:60", "1/8/2024\n",
        "1/8/2024 0", "2024/8/1", "1 8 2024", "1/8/2024/1", "0/1/2024", "31/31/2024", "\u0661/8/2024", "", None,
    ]  # fmt: skip
    for order in (None, False, True):
        assert typed(values.date("t", day_first=order), *wrong) == [None] * len(wrong)


def test_dates_as_landing_reads_them(typed):
    texts = [*FIXED["date"], *(f"{day}{time}" for day in ("2024-08-01", "1/8/2024", "1.8.2024") for time in TIMES)]
    for order in ORDERS:
        landed = {text: day for text in texts if (day := read(text.strip(" "), order))}
        assert typed(values.date("t", day_first=order == "day-first"), *landed) == list(landed.values())


def test_certification_numbers(typed):
    good = {"12a456": "12A456", "12A456": "12A456", "012456": "012456", " 675999 ": "675999"}
    assert typed(values.ccn("t"), *good) == list(good.values())
    lost_zero, others = (
        ["12456", "15009.0"],
        ["A12456", "1A2456", "1234567", "12-456", "12\u00e9456", "12A456\n", "", None],
    )
    assert typed(values.ccn("t"), *lost_zero, *others) == [None] * len([*lost_zero, *others])


def test_marks_of_no_value(typed):
    marks = ["", "  ", "-", "---", "Not Available", "N/A", ".", " --- ", None]
    assert typed(values.text("t"), *marks) == [None] * len(marks)
    assert typed(values.text("t"), " For profit ", "0", "--", "NOT AVAILABLE") == [
        "For profit",
        "0",
        "--",
        "NOT AVAILABLE",
    ]


def test_yes_and_no(typed):
    said = {"Y": True, "N": False, " y ": True, "n": False, "yes": None, "1": None, "": None, None: None}
    assert typed(values.boolean("t"), *said) == list(said.values())


def test_reasons_say_what_was_found(typed):
    assert typed(values.expected("t", "a date"), "x" * 50, None) == [
        f't: expected a date, found "{"x" * 40}"',
        "t: expected a date, found nothing",
    ]


def test_the_probe_covers_every_kind(engine):
    # The same probe is held against the JVM in test_conformance.
    found = read_all(engine)
    assert len(found) == len(TEXTS)
    for kind in range(1, 9):
        assert {row[kind] is None for row in found} == {True, False}
