"""From a table on two servers to what holds of each treatment: the same, in whatever order its extractions are read."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from nh_pipeline.failpoints import Point
from nh_pipeline.marts.treatments.treatments import TREATMENTS
from nh_pipeline_tests.support import treatments
from nh_pipeline_tests.support.dynamodb import NOW, at

if TYPE_CHECKING:
    from collections.abc import Callable

    from nh_pipeline_tests.support.dynamodb import Extractions

pytestmark = pytest.mark.integration

Rows = dict[int, dict[str, Any]]
LARGE = {"notes": {"S": "x" * 100_000}}


def treatment(number: int, **attributes: dict[str, Any]) -> dict[str, Any]:
    return {"treatment": {"M": {"id": {"N": str(number)}, **attributes}}}


@pytest.fixture
def silver(engine, lake: Extractions) -> Callable[[], tuple[Rows, list[dict[str, Any]]]]:
    """The treatments that hold, by their ids, and what was refused, of all that has landed."""

    def made() -> tuple[Rows, list[dict[str, Any]]]:
        storage = lake.zone.storage
        contents = [storage.read(delivery.file) for delivery in lake.zone.deliveries()]
        found = []
        for order in (contents, [*contents[::-1], *contents]):
            bronze = treatments.read(order)
            rows = treatments.built(engine, bronze, names=(TREATMENTS.short,))[TREATMENTS.short]
            found.append({row["treatment_id"]: row for row in rows})
            assert len(rows) == len(found[-1])
        assert found[0] == found[1]
        return found[0], treatments.read(contents)["treatments_bronze.rejects"]

    return made


def test_d1_d2_what_is_read_twice_is_there_once_and_what_is_late_is_there_after_a_full_scan(lake, silver):
    lake.table.put(1, at(hours=1))
    lake()
    lake.table.put(2, at(hours=1))
    lake.table.put(3, at(hours=1, minutes=5))
    lake.table.put(4, at(hours=1, minutes=11))
    lake()
    assert silver()[0].keys() == {1, 2, 3}
    lake(full=True)
    rows = silver()[0]
    assert rows.keys() == {1, 2, 3, 4}
    assert {number for number, row in rows.items() if row["is_late"]} == {4}
    lake.table.put(4, at(minutes=30))
    lake()
    assert not silver()[0][4]["is_late"]


def test_d3_d4_d5_times_are_instants(lake, silver):
    lake.table.put(1, {"S": "2024-01-05T10:00:00+02:00"}, **treatment(1, type={"S": "earlier"}))
    lake.table.put(2, {"S": "2099-01-01T00:00:00Z"})
    lake.table.put(3, {"N": "1704445200"})
    lake.table.put(4, {"N": "1704445200000"})
    lake.table.put(5, {"S": "2024-01-05"})
    lake.table.put(6)
    lake()
    lake.table.put(1, {"S": "2024-01-05T09:00:00Z"}, **treatment(1, type={"S": "later"}))
    lake()
    rows, rejects = silver()
    assert rejects == []
    assert rows[1]["treatment_type"] == "later"
    assert {number for number, row in rows.items() if row["is_future_modified"]} == {2}
    assert rows[1]["metadata_modified_at"] == rows[3]["metadata_modified_at"] == rows[4]["metadata_modified_at"]
    assert {number for number, row in rows.items() if row["is_type_coerced"]} == {5}
    assert rows[6]["metadata_modified_at"] is None


def test_d6_to_d9_values(lake, silver):
    costs = {1: {"N": "1250.50"}, 2: {"N": "1E+2"}, 3: {"N": "100"}, 4: {"S": "42"}, 5: {"NULL": True}, 6: {"S": " "}}
    for number, cost in costs.items():
        lake.table.put(number, at(hours=1), **treatment(number, cost=cost, type={"S": ""}))
    for number in range(20, 60):  # so that few are refused
        lake.table.put(number, at(hours=1))
    days = {7: "5.0", 8: "5.5"}
    for number, value in days.items():
        lake.table.put(number, at(hours=1), **treatment(number, duration_in_days={"N": value}))
    lake.table.put(9, at(hours=1), **treatment(9, cost={"N": "1234567890123456789012345678901234567.8"}))
    lake()
    rows, rejects = silver()
    expected = {1: "1250.50", 2: "100.00", 3: "100.00", 4: "42.00", 5: None, 6: None}
    found = {number: rows[number]["treatment_cost"] for number in costs}
    assert found == {number: text and Decimal(text) for number, text in expected.items()}
    assert {number for number, row in rows.items() if row["is_type_coerced"]} == {4}
    assert rows[1]["treatment_type"] is None
    assert rows[7]["treatment_duration_in_days"] == 5
    assert {reject["treatment_id"]: reject["path"] for reject in rejects} == {
        8: "treatment.duration_in_days",
        9: "treatment.cost",
    }


def test_d10_d11_what_is_not_modelled_is_kept(lake, silver):
    more = {"map": {"M": {"S": {"S": "text"}, "N": {"N": "1"}}}, "bytes": {"B": b"\x00\xff"}}
    lake.table.put(1, at(hours=1), tags={"SS": ["b", "a"]}, numbers={"NS": ["2", "10"]}, **more)
    lake()
    lake.table.put(1, at(hours=1), tags={"SS": ["a", "b"]}, numbers={"NS": ["10", "2"]}, **more)
    lake()
    storage = lake.zone.storage
    bronze = treatments.read([storage.read(d.file) for d in lake.zone.deliveries()])
    items = bronze["treatments_bronze.treatment_items"]
    (extras,) = {item["extra_attributes"] for item in items}
    kept = json.loads(extras)
    assert kept["map"] == {"S": "text", "N": "1"}
    assert kept["tags"] == ["a", "b"]
    assert kept["bytes"] == "AP8="
    assert not silver()[0][1]["is_conflicting"]


def test_d13_d14_updates_deletions_and_what_is_there_again(lake, silver):
    for number in (1, 2):
        lake.table.put(number, at(days=3), **treatment(number, type={"S": "old"}))
    lake()
    lake.table.put(1, at(days=2), **treatment(1, type={"S": "new"}))
    lake()
    assert {number: row["treatment_type"] for number, row in silver()[0].items()} == {1: "new", 2: "old"}
    lake.table.delete(2)
    lake()
    assert silver()[0].keys() == {1, 2}  # a window does not see it
    lake(full=True)
    assert silver()[0].keys() == {1}
    lake.table.put(2, at(hours=1), **treatment(2, type={"S": "again"}))
    lake()
    assert silver()[0][2]["treatment_type"] == "again"


def test_d16_what_is_written_during_a_full_scan_is_not_deleted_by_it(lake, silver, observed):
    for number in range(20):
        lake.table.put(number, at(days=1), **LARGE)
    lake()
    soon = (NOW + timedelta(hours=1)).isoformat()
    observed(Point.PAGE, lambda: [lake.table.put(number, {"S": soon}) for number in range(100, 110)])
    scanned = lake.items(lake(full=True)).keys()
    assert set(range(20)) <= silver()[0].keys() == scanned
    lake()
    assert silver()[0].keys() == {*range(20), *range(100, 110)}
