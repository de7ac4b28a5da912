"""FHIR's dates and times: the day as written, the instant, what is neither."""

from __future__ import annotations

from datetime import date

import pytest

from nh_pipeline.transforms import fhir_dates

pytestmark = pytest.mark.integration

TEXTS = {
    # The text: day, precision, instant in UTC, minutes of its zone.
    "2019": (date(2019, 1, 1), "year", None, None),
    "2019-03": (date(2019, 3, 1), "month", None, None),
    "2019-03-05": (date(2019, 3, 5), "day", None, None),
    "2019-03-05T08:00:00": (date(2019, 3, 5), "time", None, None),
    "2019-03-05T08:00:00Z": (date(2019, 3, 5), "time", "2019-03-05 08:00:00", 0),
    "2019-03-05T08:00:00.123456789Z": (date(2019, 3, 5), "time", "2019-03-05 08:00:00.123456", 0),
    "2019-03-05T23:58:00-05:00": (date(2019, 3, 5), "time", "2019-03-06 04:58:00", -300),
    "2019-03-05T00:10:00+05:30": (date(2019, 3, 5), "time", "2019-03-04 18:40:00", 330),
    "2019-03-05T00:10:00-03:30": (date(2019, 3, 5), "time", "2019-03-05 03:40:00", -210),
    # [hapifhir/hapi-fhir#873] The clock went back between these two.
    "2010-11-07T01:59:26-04:00": (date(2010, 11, 7), "time", "2010-11-07 05:59:26", -240),
    "2010-11-07T01:57:26-05:00": (date(2010, 11, 7), "time", "2010-11-07 06:57:26", -300),
    "2019-03-05T08:00Z": (date(2019, 3, 5), "time", None, 0),
    "2019-02-30": (None, "day", None, None),
    "2019-03-05T24:00:00Z": (date(2019, 3, 5), "time", None, 0),
    "2019-03-05 08:00:00": (None, None, None, None),
    "2019-03-05\n": (None, None, None, None),
    "5 March 2019": (None, None, None, None),
    "": (None, None, None, None),
}


@pytest.fixture(scope="module")
def read(engine):
    made = engine.createDataFrame([(text,) for text in [*TEXTS, None]], "x string").selectExpr(
        "x", f"{fhir_dates.written('x')} as day", f"{fhir_dates.precision('x')} as precision",
        f"cast({fhir_dates.instant('x')} as string) as instant", f"{fhir_dates.offset_minutes('x')} as minutes",
    )  # fmt: skip
    return {row["x"]: tuple(row)[1:] for row in made.collect()}


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_read(read, text):
    assert read[text] == TEXTS[text]


def test_nothing_is_nothing(read):
    assert read[None] == (None, None, None, None)
