"""How a history is cut into runs, and how its end is estimated."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from nh_pipeline.orchestration.planned_runs import PROGRESS, PlannedRun, numbered
from nh_pipeline.periods import by_years, joined, quarters
from nh_pipeline.pipeline import pace
from nh_pipeline.pipeline.pace import Pace

DAYS = st.dates(date(2017, 1, 1), date(2027, 12, 31))


def test_a_long_range_is_cut_where_years_end():
    a_year = (date(2023, 7, 1), date(2024, 6, 30))
    assert by_years([a_year]) == [a_year]
    longer = (date(2023, 6, 30), date(2025, 3, 31))
    assert by_years([longer]) == [
        (date(2023, 6, 30), date(2023, 12, 31)),
        (date(2024, 1, 1), date(2024, 12, 31)),
        (date(2025, 1, 1), date(2025, 3, 31)),
    ]


@given(st.lists(st.tuples(DAYS, DAYS).map(sorted).map(tuple), max_size=4, unique_by=lambda span: span[0].year))
def test_no_day_is_lost_and_no_run_is_longer_than_a_year(spans):
    spans = [(a, min(b, date(a.year, 12, 31))) if n % 2 else (a, b) for n, (a, b) in enumerate(sorted(spans))]
    spans = [(a, b) for n, (a, b) in enumerate(spans) if all(b < c for c, _ in spans[n + 1 :])]
    found = by_years(spans)
    assert joined(found) == joined(spans)
    assert all(len(quarters(a, b)) <= 4 for a, b in found)


def test_runs_that_are_planned_together_say_so():
    alone = PlannedRun("marts", date(2024, 1, 1), date(2024, 3, 31))
    assert PROGRESS not in numbered([alone])[0].tags
    first, second = numbered([alone, PlannedRun("dimensions")])
    assert (first.tags[PROGRESS], second.tags[PROGRESS]) == ("run 1 of 2", "run 2 of 2")
    assert (first.partitions, second.partitions) == (3, 1)


def test_what_is_left_takes_as_long_as_what_was_done(monkeypatch):
    monkeypatch.setattr(pace.time, "monotonic", lambda: 1_000.0)
    assert str(Pace(111, started=0.0)) == "0 of 111 partitions"
    assert str(Pace(110, done=10, started=940.0)) == "10 of 110 partitions in 0:01:00, about 0:10:00 left"
    assert str(Pace(3, done=3, started=999.0)) == "3 of 3 partitions in 0:00:01, about 0:00:00 left"
