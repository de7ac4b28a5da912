"""Rolling figures of facilities up: pooled and mean beside each other, and the same whichever way the rows are cut."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nh_pipeline.transforms.rollup import by_level, quotients, values

pytestmark = pytest.mark.integration

ROWS = "provider_id string, state string, hours decimal(13,2), residents int, rate decimal(9,5)"
HPRD = {"hprd": ("", "hours", "residents")}


def rolled(engine, rows, measures=HPRD):
    """By level, entity and measure: numerator, denominator, pooled, mean, n."""
    lines = quotients(engine.createDataFrame([(*row, None)[:5] for row in rows], ROWS), (), measures)
    return {tuple(row[:4]): tuple(row[4:]) for row in by_level(lines, ()).collect()}


def test_pooled_and_mean_differ_and_neither_counts_what_is_unknown(engine):
    """Two homes of Alabama with residents, one without, and one whose state nobody knows."""
    found = rolled(engine, [
        ("01A001", "AL", Decimal(100), 10), ("010002", "AL", Decimal(120), 40), ("010003", "AL", Decimal(0), 0),
        ("990004", None, Decimal(8), 2),
    ])  # fmt: skip
    assert found == {
        ("facility", "01A001", "AL", "hprd"): (100, 10, 10.0, 10.0, 1),
        ("facility", "010002", "AL", "hprd"): (120, 40, 3.0, 3.0, 1),
        ("facility", "010003", "AL", "hprd"): (0, 0, None, None, 0),
        ("facility", "990004", None, "hprd"): (8, 2, 4.0, 4.0, 1),
        ("state", "AL", "AL", "hprd"): (220, 50, 4.4, 6.5, 2),
        ("nation", "NATION", None, "hprd"): (228, 52, 228 / 52, 17 / 3, 3),
    }


def test_what_has_no_denominator_counts_in_neither_sum(engine):
    found = rolled(engine, [("010001", "AL", Decimal(7), 2), ("010001", "AL", Decimal(99), None)])
    assert found["state", "AL", "AL", "hprd"] == (7, 2, 3.5, 3.5, 1)


def test_values_of_cms_have_a_mean_and_nothing_to_divide(engine):
    rows = [("010001", "AL", None, None, Decimal("50.5")), ("010002", "AL", None, None, None),
            ("020003", "AK", None, None, Decimal("20.00001"))]  # fmt: skip
    lines = values(engine.createDataFrame(rows, ROWS), (), {"rate": ("", "rate")})
    found = {row["entity"]: tuple(row[4:]) for row in by_level(lines, ()).collect()}
    assert found["010002"] == (None, None, None, None, 0)
    assert found["AL"] == (None, None, None, 50.5, 1)
    assert found["NATION"] == (None, None, None, 35.250005, 2)


_HOMES = [("010001", "AL"), ("010002", "AL"), ("020003", "AK"), ("990004", None)]
_SHIFTS = st.tuples(
    st.sampled_from(_HOMES), st.decimals(0, 10**6, places=2), st.one_of(st.none(), st.integers(0, 10**4)), st.booleans()
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_SHIFTS, min_size=1, max_size=12))
def test_any_split_of_the_rows_gives_the_same_figures(engine, shifts):
    """Each part summed up by itself, the sums rolled up together; and states are sums of their facilities."""
    whole = rolled(engine, [(*home, hours, residents) for home, hours, residents, _ in shifts])
    parts = {}
    for home, hours, residents, side in shifts:
        if residents is not None:
            above, below = parts.get((home, side), (Decimal(0), 0))
            parts[home, side] = above + hours, below + residents
    unknown = [(*home, hours, None) for home, hours, residents, _ in shifts if residents is None]
    assert rolled(engine, [*unknown, *((*home, *sums) for (home, _), sums in reversed(parts.items()))]) == whole
    facilities = [(state, row) for (level, _, state, _), row in whole.items() if level == "facility"]
    for (level, _, state, _), (above, below, _, _, n) in whole.items():
        mine = [row for of, row in facilities if level == "nation" or (level == "state" and of == state)]
        if mine:
            assert above == (sum(filter(None, (row[0] for row in mine))) if below is not None else None)
            assert n == sum(row[4] for row in mine)
