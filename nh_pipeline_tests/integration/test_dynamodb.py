"""Extracting a DynamoDB table, on two servers: nothing is lost, nothing is half there, whatever happens meanwhile."""

from __future__ import annotations

import base64
import gzip
import json
import re
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import ClientError

from nh_pipeline.failpoints import Point
from nh_pipeline.landing import RawZone
from nh_pipeline.landing.extraction import extract
from nh_pipeline.landing.native_exports import land_exports
from nh_pipeline.settings import Settings
from nh_pipeline.sources import SourceUnavailable
from nh_pipeline.sources.dynamodb import MOST_TRIES
from nh_pipeline_tests.support.aws_server import denied, expired, throttled
from nh_pipeline_tests.support.dynamodb import AT, NOW, Extractions, Treatments, at, exported

if TYPE_CHECKING:
    from collections.abc import Callable

    from nh_pipeline_tests.support.aws_calls import AwsError, Call
    from nh_pipeline_tests.support.aws_server import Aws

pytestmark = pytest.mark.integration

LARGE = {"notes": {"S": "x" * 150_000}}
"""Some of these make more than a page, which holds 1 MB."""

DEAR = {"M": {"id": {"N": "2"}, "cost": {"S": "a lot"}}}
"""What cannot be taken of a treatment."""


def test_the_first_extraction_is_everything_in_the_layout_of_an_export(lake):
    for number in range(20):
        lake.table.put(number, at(hours=number + 1))
    found = lake()
    assert (found.mode, found.since, found.items) == ("scan", None, 20)
    assert lake.items(found).keys() == set(range(20))
    files = lake.landed(found)
    summary = json.loads(files["manifest-summary.json"])
    assert summary["outputFormat"] == "DYNAMODB_JSON"
    assert summary["itemCount"] == 20
    assert summary["tableArn"].endswith(f"table/{lake.table.name}")
    assert summary["nh"] | {"started_at": ""} == {
        "mode": "scan",
        "table": lake.table.name,
        "from": None,
        "overlap_seconds": 600,
        "started_at": "",
        "greatest_modified_at": at(hours=1)["S"],
    }
    listed = [json.loads(line) for line in files["manifest-files.json"].splitlines()]
    assert sum(line["itemCount"] for line in listed) == 20
    for line in listed:
        content = files.pop(line["dataFileS3Key"])
        assert len(gzip.decompress(content).splitlines()) == line["itemCount"]
        assert base64.b64decode(line["md5Checksum"]).hex() == line["etag"]
    assert files.keys() == {"manifest-summary.json", "manifest-files.json"}
    scans = lake.table.aws.made("dynamodb:Scan")
    assert {c.params["Segment"] for c in scans} == {0, 1}
    assert all(c.params["ConsistentRead"] for c in scans)


def test_an_empty_table_is_an_empty_delivery(lake):
    found = lake()
    assert (found.items, lake.items(found), found.watermark) == (0, {}, None)
    lake.table.put(1, at(hours=1))
    assert lake.items(lake()).keys() == {1}  # there was no watermark: everything again


def test_d1_items_of_the_watermark_s_own_instant_are_read_again(lake):
    lake.table.put(1, at(hours=1))
    assert lake().watermark == NOW - timedelta(hours=1)
    for number in (2, 3):
        lake.table.put(number, at(hours=1))
    found = lake()
    assert found.since == NOW - timedelta(hours=1, minutes=10)
    assert lake.items(found).keys() == {1, 2, 3}


def test_d2_what_is_written_late_is_found_by_the_overlap_or_by_a_full_scan(lake):
    lake.table.put(1, at(hours=1))
    lake()
    lake.table.put(5, at(hours=1, minutes=5))
    lake.table.put(10, at(hours=1, minutes=10))  # the first instant of the overlap
    lake.table.put(11, at(hours=1, minutes=11))
    assert lake.items(lake()).keys() == {1, 5, 10}
    found = lake(full=True)
    assert (found.since, lake.items(found).keys()) == (None, {1, 5, 10, 11})
    assert json.loads(lake.landed(found)["manifest-summary.json"])["nh"]["from"] is None


def test_d3_a_time_in_the_future_does_not_move_the_watermark(lake):
    lake.table.put(1, at(hours=1))
    lake.table.put(2, {"S": "2099-01-01T00:00:00Z"})
    assert lake().watermark == NOW - timedelta(hours=1)
    lake.table.put(3, at(minutes=30))
    found = lake()
    assert lake.items(found).keys() == {1, 2, 3}
    assert found.watermark == NOW - timedelta(minutes=30)


def test_d4_times_are_compared_as_instants(lake):
    lake.table.put(1, {"S": "2024-01-05T10:00:00+02:00"})
    lake.table.put(2, {"S": "2024-01-05T09:00:00Z"})
    assert lake().watermark == datetime(2024, 1, 5, 9, tzinfo=timezone.utc)
    lake.table.put(3, {"S": "2024-01-04T23:30:00-11:00"})  # 10:30 UTC, and the least text of all
    lake.table.put(4, {"S": "2024-01-05 10:45"})
    found = lake()
    assert lake.items(found).keys() == {2, 3, 4}
    assert found.watermark == datetime(2024, 1, 5, 10, 45, tzinfo=timezone.utc)


def test_d5_every_way_to_write_a_time(lake):
    day = datetime(2024, 1, 6, tzinfo=timezone.utc)
    lake.table.put(1, {"N": str(int(day.timestamp()) - 3600)})
    assert lake().watermark == day - timedelta(hours=1)
    lake.table.put(2, {"N": f"{int(day.timestamp()) * 1000 - 1_800_500}"})
    lake.table.put(3, {"S": "2024-01-06"})
    lake.table.put(4)  # says nothing of its time
    lake.table.put(5, {"S": "yesterday"})
    lake.table.put(6, metadata_modified_at={"S": "2024-01-06T00:00:00.5Z"})
    lake.table.put(7, {"N": str(int(day.timestamp()) - 4201)})
    lake.table.put(8, metadata_modified_at={"S": "2024-01-05T10:00:00Z"})
    found = lake()
    assert lake.items(found).keys() == {1, 2, 3, 6}
    assert found.watermark == day + timedelta(milliseconds=500)
    assert lake.items(lake(full=True)).keys() == set(range(1, 9))


def test_values_are_as_the_server_sends_them(lake, request):
    """D6, D7, D10, D11, D12: numbers as text, maps that look like values, sets, binary, reserved words."""
    digits = "1234567890123456789012345678901234567.8"
    lake.table.put(
        1,
        at(hours=1),
        cost={"N": "1250.50"},
        large={"N": "1E+2"},
        digits={"N": digits},
        map={"M": {"S": {"S": "text"}, "N": {"N": "1"}, "M": {"M": {}}}},
        set={"SS": ["b", "a"]},
        numbers={"NS": ["2", "1"]},
        bytes={"B": b"\x00\xff"},
        list={"L": [{"NULL": True}, {"BOOL": False}, {"S": ""}, {"B": b"\n"}]},
        **{name: {"S": 'reserved "words"\n'} for name in ("location", "type", "status", "name")},
    )
    (item,) = lake.items(lake()).values()
    (sent,) = lake.table.client.scan(TableName=lake.table.name)["Items"]
    assert sent == json.loads(json.dumps(item), object_hook=binary)
    assert item["cost"]["N"] == ("1250.5" if "dynalite" in request.node.name else "1250.50")
    assert Decimal(item["cost"]["N"]) == Decimal("1250.50")
    assert (Decimal(item["large"]["N"]), item["digits"]["N"]) == (100, digits)
    taken = {name: TypeDeserializer().deserialize(value) for name, value in sent.items()}
    assert taken["map"] == {"S": "text", "N": 1, "M": {}}
    assert taken["set"] == {"a", "b"}
    lake()
    (asked, *_) = [c.params for c in lake.table.aws.made("dynamodb:Scan") if "FilterExpression" in c.params]
    words = set(re.findall(r"[#:]?\w+", asked["FilterExpression"]))
    assert {word for word in words if word[0] not in "#:"} == {"OR", "AND", "BETWEEN", "attribute_type"}


def binary(value: dict[str, Any]) -> dict[str, Any]:
    return {"B": base64.b64decode(value["B"])} if isinstance(value.get("B"), str) else value


def test_d7_39_digits_are_refused_by_the_table_or_kept_as_they_are(lake, request):
    digits = {"N": "1" * 39}
    if "dynalite" in request.node.name:
        with pytest.raises(ClientError, match="38 significant digits"):
            lake.table.put(1, at(hours=1), digits=digits)
    else:
        lake.table.put(1, at(hours=1), digits=digits)
        assert lake.items(lake())[1]["digits"] == digits


def test_d13_an_update_is_in_the_next_window(lake):
    lake.table.put(1, at(hours=2), cost={"N": "1"})
    lake.table.put(2, at(hours=2))
    lake()
    lake.table.put(1, at(hours=1), cost={"N": "2"})
    found = lake()
    assert {number: item.get("cost") for number, item in lake.items(found).items()} == {1: {"N": "2"}, 2: None}
    assert json.loads(lake.landed(found)["manifest-summary.json"])["nh"]["from"] == at(hours=2, minutes=10)["S"]


def fails_on(aws: Aws, page: int, error: Callable[[Call], AwsError]) -> Callable[[], None]:
    """Lets the second segment fail from a page on; what is returned ends that."""
    pages, answer = [0], aws.handlers.get("dynamodb:Scan")

    def scan(call: Call) -> Any:
        pages[0] += call.params["Segment"] == 1
        if call.params["Segment"] == 1 and pages[0] >= page:
            raise error(call)
        return answer(call) if answer else None

    def healed() -> None:
        if answer:
            aws.handlers["dynamodb:Scan"] = answer
        else:
            del aws.handlers["dynamodb:Scan"]

    aws.handlers["dynamodb:Scan"] = scan
    return healed


@pytest.mark.parametrize("error", [throttled, denied])
def test_d15_all_pages_of_all_segments_or_nothing(lake, error):
    lake.table.put(0, at(days=2))
    lake()
    before = lake.left(), lake.watermark
    for number in range(40):
        lake.table.put(number, at(days=1), **LARGE)
    healed = fails_on(lake.table.aws, 3, error)
    with pytest.raises(SourceUnavailable, match="Nothing was extracted"):
        lake()
    assert (lake.left(), lake.watermark) == before
    assert list(lake.zone.storage.files("raw/.incoming")) == []
    healed()
    assert lake.items(lake()).keys() == set(range(40))


def test_throttling_that_ends_is_waited_for(lake):
    lake.table.put(1, at(hours=1))
    with lake.table.aws.failing("dynamodb:*", throttled, times=MOST_TRIES - 1) as fault:
        assert lake().items == 1
    assert fault.met == MOST_TRIES - 1


def test_an_empty_page_is_not_the_last_one(lake):
    lake.settings["treatments_segments"] = 1
    for number in range(30):
        lake.table.put(number, at(days=2), **LARGE)
    lake()
    lake.table.put(30, at(days=1))
    lake.table.aws.calls.clear()
    assert 30 in lake.items(lake(since=NOW - timedelta(days=1, hours=1)))
    assert len(lake.table.aws.made("dynamodb:Scan")) > 3


def test_d16_what_is_written_during_a_scan_is_read_by_the_next(lake, observed):
    for number in range(30):
        lake.table.put(number, at(days=1), **LARGE)
    soon = (NOW + timedelta(hours=1)).isoformat()  # after the scan began
    observed(Point.PAGE, lambda: [lake.table.put(number, {"S": soon}) for number in range(100, 130)])
    first = lake()
    assert set(range(30)) <= lake.items(first).keys()
    assert first.watermark == NOW - timedelta(days=1)
    assert set(range(100, 130)) <= lake.items(lake()).keys()


def test_a_window_with_nothing_new_does_not_land_again(lake):
    lake.table.put(1, at(hours=1))
    lake()
    first = lake()
    before = lake.left()
    again = lake()
    assert (first.items, again.items, again.landed, again.watermark) == (1, 1, None, first.watermark)
    assert lake.left() == before
    lake.table.put(1, at(hours=1), cost={"N": "1"})  # other content, at the same time
    assert lake.items(lake())[1]["cost"] == {"N": "1"}
    assert lake(full=True).landed.created  # what a full scan lacks is gone: each one tells


def test_what_is_held_leaves_the_watermark_as_it_is(lake):
    lake.table.put(1, at(hours=3))
    lake()
    for number in (2, 3):
        lake.table.put(number, at(hours=2), treatment=DEAR)
    assert lake.items(lake()).keys() == {1, 2, 3}
    assert lake.watermark == NOW - timedelta(hours=3)
    assert lake().landed is None  # once is enough
    for number in (2, 3):
        lake.table.put(number, at(hours=1))
    found = lake()
    assert (lake.items(found).keys(), found.watermark) == ({1, 2, 3}, NOW - timedelta(hours=1))
    for number in (4, 5):
        lake.table.put(number, at(minutes=30), treatment=DEAR)
    assert lake(full=True).watermark == NOW - timedelta(hours=1)
    lake.zone.storage.delete(f"state/dynamodb/{lake.table.name}.json")
    assert lake.watermark == NOW - timedelta(hours=1)


def test_a_full_scan_that_lacks_too_much_leaves_the_watermark_as_it_is(lake):
    for number in range(10):
        lake.table.put(number, at(hours=3))
    lake()
    lake.table.delete(0)
    lake.table.put(10, at(hours=2))
    assert lake(full=True).watermark == NOW - timedelta(hours=3)
    found = lake()
    assert 10 in lake.items(found)  # as it does not count in what is held
    assert found.watermark == NOW - timedelta(hours=2)
    lake.zone.storage.delete(f"state/dynamodb/{lake.table.name}.json")
    assert lake.watermark == NOW - timedelta(hours=2)


def test_one_item_that_cannot_be_taken_stops_no_window(lake):
    lake.table.put(1, at(hours=3))
    lake()
    lake.table.put(2, at(hours=2), treatment=DEAR)
    assert lake().watermark == NOW - timedelta(hours=2)
    found = lake(since=NOW - timedelta(hours=2))  # nothing but what cannot be taken
    facts = found.landed.document.export
    assert (facts.records, facts.refused, facts.held) == (0, 1, "")
    assert found.watermark == NOW - timedelta(hours=2)
    lake.zone.storage.delete(f"state/dynamodb/{lake.table.name}.json")
    assert lake.watermark == NOW - timedelta(hours=2)


def test_a_gap_leaves_the_watermark_as_it_is(lake):
    lake.table.put(1, at(hours=3))
    lake()
    lake.table.put(2, at(hours=2))
    lake.table.put(3, at(hours=1))
    found = lake(since=NOW - timedelta(hours=1, minutes=30))
    assert (lake.items(found).keys(), found.watermark) == ({3}, NOW - timedelta(hours=3))
    assert lake.items(lake()).keys() == {1, 2, 3}


@pytest.mark.parametrize("document", [None, b"{", b'{"modified_at": 5, "since": "x"}'])
def test_the_watermark_follows_from_what_has_landed(lake, document):
    state = f"state/dynamodb/{lake.table.name}.json"
    lake.table.put(1, at(hours=3))
    lake()
    lake.table.put(2, at(hours=2))
    lake()
    lake.table.put(3, at(hours=1))
    lake(since=NOW - timedelta(hours=1, minutes=5))  # leaves a gap
    assert lake.watermark == NOW - timedelta(hours=2)
    if document is None:
        lake.zone.storage.delete(state)
    else:
        lake.zone.storage.write(state, document)
    assert lake.watermark == NOW - timedelta(hours=2)
    assert lake.items(lake()).keys() == {2, 3}
    lake.zone.storage.delete("raw")
    lake.zone.storage.delete(state)
    assert lake.watermark is None


def test_a_full_export_of_aws_is_a_full_extraction(lake, tmp_path):
    items = [lake.table.put(number, {"S": f"2024-06-{number:02}T00:00:00Z"}) for number in (1, 2)]
    future = lake.table.put(3, {"S": "2099-01-01T00:00:00Z"})
    exported(tmp_path / "window", [], table=lake.table.name, since=AT - timedelta(hours=1))
    land_exports(lake.zone, str(tmp_path / "window"))
    assert lake.watermark is None
    exported(tmp_path / "full", [{"Item": item} for item in items], table=lake.table.name)
    land_exports(lake.zone, str(tmp_path / "full"))
    assert lake.watermark == datetime(2024, 6, 2, tzinfo=timezone.utc)
    found = lake()
    assert (found.since, lake.items(found)) == (
        datetime(2024, 6, 1, 23, 50, tzinfo=timezone.utc),
        {2: items[1], 3: future},
    )


def killed(lake: Extractions, point: Point) -> None:
    environment = {"NH_HOME": lake.settings["home"], "NH_TREATMENTS_TABLE": lake.table.name}
    command = [sys.executable, "-m", "nh_pipeline_tests.support.dynamodb", lake.settings["home"], point.name]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ended.returncode == -9, ended.stderr


def test_an_extraction_that_is_killed_is_done_again(lake):
    for number in range(20):
        lake.table.put(number, at(hours=2), **LARGE)
    lake()
    before, seen = lake.left(), lake.watermark
    for number in range(20, 25):
        lake.table.put(number, at(hours=1))
    for point in (Point.PAGE, Point.EXTRACTED, Point.RECEIVED):
        killed(lake, point)
        assert (lake.left(), lake.watermark) == (before, seen), point
        assert list(lake.zone.storage.files("raw/.incoming")) != [], point  # which is swept a day later
    killed(lake, Point.LANDED)
    lake.zone = RawZone(lake.zone.storage)
    assert lake.watermark == seen
    assert len(lake.left()) == len(before) + 2
    found = lake()
    assert lake.items(found).keys() == set(range(25))
    assert found.watermark == NOW - timedelta(hours=1)


@pytest.mark.parametrize("kind", ["S", "N"])
def test_a_query_reads_of_the_index_what_has_changed(made, kind):
    lake = made(kind=kind)
    lake.settings |= {"treatments_mode": "query", "treatments_index": lake.table.index, "treatments_shards": 3}

    def put(number: int, factor: int = 1, **ago: float) -> None:
        when = NOW - timedelta(**ago)
        text = when.isoformat() if kind == "S" else str(int(when.timestamp()) * factor)
        shard = {"N": str(number % 3)}
        lake.table.put(number, metadata_modified_at={kind: text}, shard=shard)

    for number in range(6):
        put(number, days=3)
    assert lake().mode == "scan"  # the first time, it is everything
    for number in range(6, 10):
        put(number, factor=1 if number % 2 else 1000, hours=1)
    lake.table.put(10, at(hours=1))  # not in the index
    lake.table.aws.calls.clear()
    found = lake()
    assert (found.mode, lake.items(found).keys(), found.watermark) == (
        "query",
        set(range(10)),
        NOW - timedelta(hours=1),
    )
    found = lake()
    assert lake.items(found).keys() == set(range(6, 10))
    assert lake.table.aws.made("dynamodb:Scan") == []
    found = lake(full=True)
    assert (found.mode, found.items) == ("scan", 11)


def test_another_extraction_meanwhile_does_not_move_the_watermark_back(lake, observed):
    lake.table.put(1, at(hours=3))

    def another() -> None:
        lake.table.put(2, at(hours=1))
        lake()

    observed(Point.EXTRACTED, another)
    found = lake()
    assert lake.items(found).keys() == {1}
    assert found.watermark == lake.watermark == NOW - timedelta(hours=1)


def test_a_lake_on_s3(aws):
    table = Treatments(aws)
    lake = Extractions(table, aws.home)
    table.put(1, at(hours=3))
    assert lake().watermark == NOW - timedelta(hours=3)
    lake.zone.storage.delete(f"state/dynamodb/{table.name}.json")
    found = lake()
    assert (found.since, found.items) == (NOW - timedelta(hours=3, minutes=10), 1)
    assert len(lake.zone.deliveries()) == 2


def test_an_index_that_cannot_be_used_is_said(made):
    lake = made(projection="KEYS_ONLY")
    lake.table.put(1, at(hours=1))
    lake()
    lake.settings |= {"treatments_mode": "query", "treatments_index": lake.table.index}
    with pytest.raises(SourceUnavailable, match=r"projects KEYS_ONLY.*expected metadata_modified_at, ALL"):
        lake()
    lake.settings |= {"treatments_index": "other"}
    with pytest.raises(SourceUnavailable, match="has no index 'other', found by_time"):
        lake()


def test_what_is_wrong_with_the_table_or_the_account_is_said(lake):
    aws = lake.table.aws
    with pytest.raises(SourceUnavailable, match="set NH_TREATMENTS_TABLE"):
        extract(Settings(home=lake.settings["home"]), lake.zone)
    with pytest.raises(SourceUnavailable, match=r"there is no table nowhere\. Correct NH_TREATMENTS_TABLE"):
        extract(Settings(home=lake.settings["home"], treatments_table="nowhere"), lake.zone)
    with aws.failing("dynamodb:Scan", denied), pytest.raises(SourceUnavailable, match=r"dynamodb:Scan on .* is denied"):
        lake()
    with aws.failing("dynamodb:*", expired), pytest.raises(SourceUnavailable, match="credentials have expired"):
        lake()
    with aws.failing("dynamodb:*", throttled), pytest.raises(SourceUnavailable, match="did not answer 8 times"):
        lake()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # where nobody answers
        with pytest.raises(SourceUnavailable, match=r"did not answer 8 times .*Could not connect"):
            lake()
        for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
            patch.delenv(name)
        with pytest.raises(SourceUnavailable, match=r"no region is set\. Set NH_TREATMENTS_REGION"):
            lake()
    assert lake.left() == []
