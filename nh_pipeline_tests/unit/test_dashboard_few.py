"""Small numbers of people are not told, nor what would tell them."""

from __future__ import annotations

import pandas as pd
import pytest

from dashboard import few
from dashboard.words import NOTHING as DASH

NONE = float("nan")


@pytest.mark.parametrize(
    ("people", "told"), [(0, "<11"), (10, "<11"), (11, "11"), (1234, "1,234"), (None, DASH), (NONE, DASH)]
)  # fmt: skip
def test_a_count(people, told):
    assert few.count(people) == told


@pytest.mark.parametrize(
    ("part", "whole", "told"),
    [(11, 44, "25.0 %"), (10, 44, DASH), (0, 0, DASH), (0, 500, DASH)],
)
def test_a_share_tells_the_count_that_it_is_made_of(part, whole, told):
    assert few.share(part, whole) == told


@pytest.mark.parametrize(
    ("people", "back"),
    [
        ([11, 30, 12], []),
        ([5, 30, 12], [0, 2]),  # 47 in all, less 30 and 12, would be 5
        ([5, 6, 12, 30], [0, 1]),  # 11 together
        ([5, 5, 12, 30], [0, 1, 2]),
        ([3, 4], [0, 1]),
        ([40, 0, 20], [1]),  # nobody: the others are all
        ([], []),
    ],
)
def test_parts_are_kept_back_until_their_sum_may_be_told(people, back):
    kept = few.kept_back(pd.Series(people, dtype=float))
    assert list(kept[kept].index) == back


def test_rows_are_shown_without_what_tells_of_few():
    rows = pd.DataFrame({
        "part": ["a", "b", "c", "d"],
        "patients": [40, 5, 6, 30],
        "stays": [80, 50, 6, 60],
        "again": [20, 20, 2, 9],
        "rate": [0.25, 0.4, 0.33, 0.75],
    })  # fmt: skip
    shown = few.guarded(rows, {"patients": ("stays", "again", "rate"), "stays": (), "again": ("rate",)})
    assert list(shown["patients"]) == ["40", "<11", "<11", "30"]
    assert list(shown["stays"]) == ["80", DASH, "<11", "60"]
    assert list(shown["again"]) == ["20", DASH, "<11", "<11"]
    assert [round(r, 2) for r in shown["rate"].dropna()] == [0.25]
    assert list(rows["patients"]) == [40, 5, 6, 30]  # what was asked is as it was


def test_each_whole_is_guarded_by_itself():
    rows = pd.DataFrame({"month": [1, 2, 1, 2], "n": [50, 50, 5, 20], "money": [1.0, 2.0, 3.0, 4.0]})
    shown = few.guarded(rows, {"n": ("money",)}, by="month")
    assert list(shown["n"]) == [DASH, "50", "<11", "20"]
    assert list(shown["money"].dropna()) == [2.0, 4.0]
    also = few.guarded(rows[rows["month"] == 2], {"n": ("money",)}, also={"n": rows["n"] == 20})
    assert list(also["n"]) == ["50", DASH]
