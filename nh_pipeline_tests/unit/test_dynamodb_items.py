"""When an item was modified, however it is written, and that no window asks for too little."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nh_pipeline.sources.dynamodb_items import bounds, modified_at

UTC = timezone.utc
INSTANTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
OFFSETS = st.integers(-12 * 4, 14 * 4).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))


def item(value, *, top=None):
    return json.dumps({"metadata": {"M": {"modified_at": value}}, **({"metadata_modified_at": top} if top else {})})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"S": "2024-01-05T10:00:00+02:00"}, datetime(2024, 1, 5, 8, tzinfo=UTC)),
        ({"S": "2024-01-05T09:00:00Z"}, datetime(2024, 1, 5, 9, tzinfo=UTC)),
        ({"S": " 2024-01-05 09:00:00.25 "}, datetime(2024, 1, 5, 9, 0, 0, 250_000, UTC)),
        ({"S": "2024-01-05T09:30"}, datetime(2024, 1, 5, 9, 30, tzinfo=UTC)),
        ({"S": "2024-01-05"}, datetime(2024, 1, 5, tzinfo=UTC)),
        ({"N": "1704445200"}, datetime(2024, 1, 5, 9, tzinfo=UTC)),
        ({"N": "1704445200250"}, datetime(2024, 1, 5, 9, 0, 0, 250_000, UTC)),
        ({"N": "1704445200.25"}, datetime(2024, 1, 5, 9, 0, 0, 250_000, UTC)),
        ({"N": "1.7044452E+9"}, datetime(2024, 1, 5, 9, tzinfo=UTC)),
        ({"S": "05/01/2024"}, None),
        ({"S": "1704445200"}, None),
        ({"S": ""}, None),
        ({"S": "9999-12-31T23:59:59-05:00"}, None),
        ({"N": "1E+120"}, None),
        ({"NULL": True}, None),
        ({"M": {"S": {"S": "2024-01-05"}}}, None),
    ],
)
def test_a_time_is_read_as_an_instant_or_not_at_all(value, expected):
    assert modified_at(item(value)) == expected
    assert modified_at(json.dumps({"metadata_modified_at": value})) == expected


def test_the_time_within_the_metadata_goes_first():
    top = {"S": "2024-01-06"}
    assert modified_at(item({"S": "2024-01-05"}, top=top)) == datetime(2024, 1, 5, tzinfo=UTC)
    assert modified_at(item({"NULL": True}, top=top)) == datetime(2024, 1, 6, tzinfo=UTC)
    for other in ({"S": "x"}, {"M": {"S": {"S": "2024-01-05"}}}, {"L": []}):
        assert modified_at(json.dumps({"metadata": other, "metadata_modified_at": top})) is not None
        assert modified_at(json.dumps({"metadata": other})) is None


def asked_for(value, since):
    """Whether DynamoDB gives an item of a window: what its conditions say, which compare texts and numbers."""
    found = {name: bound.get("S") or Decimal(bound["N"]) for name, bound in bounds(since).items()}
    if "S" in value:
        return value["S"] >= found[":day"]
    number = Decimal(value["N"])
    return found[":second"] <= number <= found[":last_second"] or number >= found[":millisecond"]


@given(since=INSTANTS, later=st.timedeltas(timedelta(0), timedelta(days=400)), zone=OFFSETS, data=st.data())
def test_whatever_was_modified_since_is_asked_for(since, later, zone, data):
    local = (since + later).astimezone(zone)
    seconds = Decimal(int(local.timestamp())) + Decimal(local.microsecond) / 1_000_000
    day = (since + later).date() + timedelta(days=1)
    value = data.draw(
        st.sampled_from(
            [
                {"S": local.isoformat()},
                {"S": local.isoformat(" ")},
                {"S": f"{since + later:%Y-%m-%dT%H:%M:%S.%fZ}"},
                {"S": day.isoformat()},
                {"N": f"{seconds}"},
                {"N": f"{seconds * 1000}"},
            ]
        )
    )
    at = modified_at(item(value))
    assert at is not None
    assert at >= since or abs(at - since) <= timedelta(milliseconds=1)
    assert asked_for(value, since)


@given(since=INSTANTS, zone=OFFSETS)
def test_what_is_much_older_is_not_transferred(since, zone):
    old = (since - timedelta(days=3)).astimezone(zone)
    assert not asked_for({"S": old.isoformat()}, since)
    assert not asked_for({"N": str(int(old.timestamp()))}, since)
    assert not asked_for({"N": str(int(old.timestamp()) * 1000)}, since)
