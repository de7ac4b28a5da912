"""Items of DynamoDB: which values are taken, what they are then, and what is refused in which words."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from datetime import datetime, timezone
from decimal import Decimal

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from nh_pipeline.landing import Refused
from nh_pipeline.landing.about import About
from nh_pipeline.landing.dynamodb import batches, is_items, is_items_archive, survey
from nh_pipeline.landing.dynamodb.values import plain
from nh_pipeline.sample.treatments.writing import Tagged, archive, deleted, native, ndjson, put, scan, tagged, zipped

AT = datetime(2024, 7, 1, 3, tzinfo=timezone.utc)
ABOUT = About(delivery_id="d", name="items", dt=AT.date(), exported_at=AT, modified_at=AT)
NAME = "Maryanne"


def item(number=1, *, modified="2024-06-01T00:00:00Z", **treatment):
    """An item, with these attributes of its treatment."""
    return {"treatment": {"id": number, **treatment}, "metadata": {"modified_at": modified}}


def rows(content, table):
    return [
        row for one, _, batch in batches(ABOUT, io.BytesIO(content)) if one.short == table for row in batch.to_pylist()
    ]


def one(of, table="treatment_items"):
    """The row of a single item in a whole export."""
    (row,) = rows(archive(scan(AT), [put(of)]), table)
    return row


def refused(of):
    row = one(of, "rejects")
    assert NAME not in str(row)
    return row["path"], row["expected"], row["found"]


@pytest.mark.parametrize(
    ("written", "read", "coerced"),
    [
        (Tagged(N="1250.50"), "1250.50", None),
        (Tagged(N="1250.5"), "1250.50", None),
        (Tagged(N="1E+2"), "100.00", None),
        (Tagged(N="-0.10"), "-0.10", None),
        (Tagged(S="42"), "42.00", "treatment_cost"),
        (Tagged(S=" 42.5 "), "42.50", "treatment_cost"),
        (Tagged(NULL=True), None, None),
        (Tagged(S=""), None, None),
        (Tagged(S=" "), None, None),
    ],
)
def test_a_number_is_taken_however_it_is_written(written, read, coerced):
    row = one(item(cost=written))
    assert (row["treatment_cost"], row["coerced"]) == (read, coerced)


def test_what_is_written_alike_is_told_by_its_type():
    same = [Tagged(N="42"), Tagged(S="42"), Tagged(N="42")]
    found = rows(archive(scan(AT), [put(item(n, cost=cost)) for n, cost in enumerate(same, 1)]), "treatment_items")
    assert [row["treatment_cost"] for row in found] == ["42.00"] * 3
    assert [row["coerced"] for row in found] == [None, "treatment_cost", None]


def test_a_long_text_is_taken_whole():
    assert one(item(type="x" * 1000))["treatment_type"] == "x" * 1000


def test_what_is_absent_is_nothing():
    row = one(item())
    assert (row["treatment_id"], row["treatment_cost"], row["extra_attributes"]) == ("1", None, None)


@pytest.mark.parametrize(
    ("attribute", "written", "expected", "found"),
    [
        ("duration_in_days", Tagged(N="5.5"), "a whole number", "another number"),
        ("duration_in_days", Tagged(S=NAME), "a whole number", "other text"),
        ("cost", Tagged(N="1" * 38), "US dollars, at most two decimals, decimal(18,2)", "another number"),
        ("cost", Tagged(N="0.005"), "US dollars, at most two decimals, decimal(18,2)", "another number"),
        ("cost", Tagged(BOOL=True), "US dollars, at most two decimals, decimal(18,2)", "a boolean"),
        ("type", Tagged(L=[]), "text", "a list"),
        ("start_date", Tagged(S="2024-02-30"), "a date or time", "other text"),
        ("type", Tagged(S=NAME, N="1"), "a value with its type", "another object"),
        ("cost", Tagged(N="NaN"), "a value with its type", "another object"),
    ],
)
def test_what_cannot_be_taken_is_refused_without_its_value(attribute, written, expected, found):
    path, said, kind = refused(item(**{attribute: written}))
    assert (path, kind) == (f"treatment.{attribute}", found)
    assert said.startswith(expected)


def test_an_integer_may_have_decimals_that_say_nothing():
    assert one(item(duration_in_days=Tagged(N="5.0")))["treatment_duration_in_days"] == "5"


def test_38_digits_stay_as_they_are_written():
    digits = "12345678901234567890123456789012345678"
    row = one({**item(), "ledger": Tagged(N=digits)})
    assert json.loads(row["extra_attributes"]) == {"ledger": digits}
    assert digits in row["item"]


def test_an_id_is_needed_and_may_be_the_key_of_the_table():
    assert refused({"treatment": {}}) == ("treatment.id", "a whole number, at least 0", "nothing")
    row = one({"treatment_id_partition_key": "42", "treatment": {"type": "Surgery"}})
    assert (row["treatment_id"], row["treatment_type"], row["coerced"]) == ("42", "Surgery", "treatment_id")
    assert refused(item(-1)) == ("treatment.id", "a whole number, at least 0", "another number")
    assert one({**item(" ", type=Tagged(L=[])), "treatment_id_partition_key": "42"}, "rejects")["treatment_id"] == 42


@pytest.mark.parametrize(
    ("written", "read", "coerced"),
    [
        ("2024-01-05T10:00:00+02:00", "2024-01-05T08:00:00.000000Z", None),
        ("2024-01-05T09:00:00Z", "2024-01-05T09:00:00.000000Z", None),
        ("2024-01-05 09:00:00.25", "2024-01-05T09:00:00.250000Z", None),
        ("2024-01-05T09:00", "2024-01-05T09:00:00.000000Z", None),
        (Tagged(N="1704448800"), "2024-01-05T10:00:00.000000Z", None),
        (Tagged(N="1704448800123"), "2024-01-05T10:00:00.123000Z", None),
        (Tagged(N="1704448800.5"), "2024-01-05T10:00:00.500000Z", None),
        ("2024-01-05", "2024-01-05T00:00:00.000000Z", "metadata_modified_at"),
        ("2099-01-01T00:00:00Z", "2099-01-01T00:00:00.000000Z", None),
    ],
)
def test_times_are_instants_whatever_form_they_have(written, read, coerced):
    row = one(item(modified=written))
    assert (row["metadata_modified_at"], row["coerced"]) == (read, coerced)


def test_the_time_of_a_change_may_be_beside_the_others_and_a_window_needs_it():
    beside = {"treatment": {"id": 1}, "metadata_modified_at": "2024-06-01T00:00:00Z"}
    assert one(beside)["metadata_modified_at"] == "2024-06-01T00:00:00.000000Z"
    without = {"treatment": {"id": 1}}
    assert one(without)["metadata_modified_at"] is None
    (reject,) = rows(archive(scan(AT, since=AT), [put(without), put(beside)]), "rejects")
    assert (reject["treatment_id"], reject["path"]) == (1, "metadata.modified_at")


def test_a_map_may_have_attributes_called_as_types_are():
    of = {"treatment": {"id": 7, "S": {"S": "x", "N": 1}, "N": "n"}, "M": {"L": ["a"]}}
    row = one(of)
    assert row["treatment_id"] == "7"
    extras = json.loads(row["extra_attributes"])
    assert extras == {"M": {"L": ["a"]}, "treatment.N": "n", "treatment.S": {"N": "1", "S": "x"}}


def test_sets_are_equal_in_any_order_and_bytes_stay_as_they_are():
    def extras(*tags, numbers):
        return one({**item(), "tags": Tagged(SS=[*tags]), "doses": Tagged(NS=numbers), "scan": Tagged(B="AQI=")})[
            "extra_attributes"
        ]

    assert extras("a", "b", numbers=["10", "9"]) == extras("b", "a", numbers=["9", "10"])
    assert json.loads(extras("a", numbers=["1"])) == {"doses": ["1"], "scan": "AQI=", "tags": ["a"]}


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.text()
        | st.decimals(-(10**20), 10**20, places=4)
        | st.sets(st.text(), min_size=1),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )
)
def test_values_are_what_the_client_of_aws_takes_them_for(value):
    def as_ours(of):
        if isinstance(of, dict):
            return {name: as_ours(inner) for name, inner in of.items()}
        if isinstance(of, list):
            return [as_ours(inner) for inner in of]
        return sorted(of) if isinstance(of, set) else of

    def as_theirs(ours, of):
        if isinstance(of, dict):
            return {name: as_theirs(ours[name], inner) for name, inner in of.items()}
        if isinstance(of, list):
            return [as_theirs(a, b) for a, b in zip(ours, of, strict=True)]
        return Decimal(ours) if isinstance(of, Decimal) else ours

    typed = TypeSerializer().serialize(value)
    expected = as_ours(TypeDeserializer().deserialize(typed))
    assert as_theirs(plain(typed), expected) == expected
    assert plain(tagged(value)) == plain(typed)


def test_a_window_tells_what_was_written_when_and_what_was_deleted():
    lines = [put({**item(), "treatment_id_partition_key": "1"}, AT), deleted({"treatment_id_partition_key": "2"}, AT)]
    content = archive(native(AT, since=AT.replace(hour=1)), lines)
    there, gone = rows(content, "treatment_items")
    assert (there["op"], there["treatment_id"], there["write_time"]) == ("put", "1", AT)
    assert (gone["op"], gone["treatment_id"], gone["write_time"], gone["treatment_type"]) == ("delete", "2", AT, None)
    (told,) = rows(content, "extractions")
    assert (told["mode"], told["is_full"], told["items"], told["deletions"]) == ("export", False, 1, 1)
    assert (told["from_at"], told["started_at"], told["table_name"]) == (AT.replace(hour=1), AT, "treatments")


@pytest.mark.parametrize(
    ("content", "mode", "is_full"),
    [
        (archive(scan(AT), [put(item())], folder=""), "scan", True),
        (archive({**scan(AT), "tableArn": None, "exportArn": None}, [put(item())]), "scan", True),
        (archive(scan(AT, since=AT), [put(item())]), "scan", False),
        (archive(scan(AT, mode="query"), [put(item())]), "query", False),
        (archive(native(AT), [put(item())], [put(item(2))]), "export", True),
        (ndjson([put(item())]), "file", False),
    ],
)
def test_what_is_all_of_the_table_says_so(content, mode, is_full):
    assert is_items(content) or is_items_archive(io.BytesIO(content))
    found = survey(io.BytesIO(content), "x", modified_at=AT)
    assert (found.extraction.mode, found.extraction.is_full, found.dt) == (mode, is_full, AT.date())
    assert found.extraction.newest_modified_at == datetime(2024, 6, 1, tzinfo=timezone.utc)


def test_an_empty_window_is_a_delivery():
    found = survey(io.BytesIO(archive(scan(AT, since=AT))), "x", modified_at=AT)
    assert (found.records, found.refused, found.held) == (0, 0, "")


def changed(content, ending, change):
    """An archive in which one member is another."""
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        members = {name: opened.read(name) for name in opened.namelist()}
    (name,) = (name for name in members if name.endswith(ending))
    made = change(members.pop(name))
    return zipped(members if made is None else {**members, name: made})


WHOLE = archive(native(AT), [put(item(n)) for n in range(3)])


def count(to):
    return lambda content: content.replace(b'"itemCount": 3', b'"itemCount": %d' % to)


@pytest.mark.parametrize(
    ("ending", "change", "expected", "found"),
    [
        ("files.json", count(4), "3 items by its summary", "4 by its list"),
        ("summary.json", lambda _: None, "one manifest-summary.json", "0"),
        ("files.json", lambda _: None, "one manifest-files.json", "0"),
        ("000000.json.gz", lambda _: None, "1 data files", "1 are missing: 000000.json.gz"),
        ("000000.json.gz", lambda _: gzip.compress(b"", mtime=0), "md5 ", "=="),
        ("_started", lambda _: ndjson([put(item())]), "data files that its list names once", "_started"),
        ("summary.json", lambda c: c.replace(b"DYNAMODB_JSON", b"ION"), "DYNAMODB_JSON", "ION"),
        ("summary.json", lambda c: c.replace(b"exportTime", b"endTime"), "exportTime", "none"),
        ("files.json", lambda c: c[:-10], "a manifest of an export (DataFile)", "truncated"),
    ],
)
def test_an_export_that_is_not_complete_is_refused_with_what_is_missing(ending, change, expected, found):
    broken = changed(WHOLE, ending, change)
    assert is_items_archive(io.BytesIO(broken))
    with pytest.raises(Refused) as told:
        survey(io.BytesIO(broken), "x", modified_at=AT)
    assert expected in told.value.expected
    assert found in told.value.found


def test_lines_are_counted_too_where_the_digest_is_of_a_file_that_is_short():
    lines = [put(item(n)) for n in range(3)]
    short = archive(native(AT), [ndjson(lines[:2]).decode().rstrip("\n")])
    with pytest.raises(Refused) as told:
        survey(io.BytesIO(short), "x", modified_at=AT)
    assert (told.value.expected, told.value.found) == ("1 items in 000000.json.gz", "2")


def test_a_file_with_many_refused_lines_or_without_its_end_is_held():
    bad = put(item(9, duration_in_days=Tagged(N="5.5")))
    good = [put(item(n)) for n in range(8)]
    found = survey(io.BytesIO(ndjson([bad, *good])), "x", modified_at=AT)
    assert (found.refused, found.held) == (1, "")  # one line may always be
    found = survey(io.BytesIO(ndjson([bad, *good, bad])), "x", modified_at=AT)
    assert found.held.startswith(
        "2 of 10 lines are refused, more than 5%; the first in line 1: expected a whole number"
    )
    found = survey(io.BytesIO(ndjson([*good, *good, *good])[:-30]), "x", modified_at=AT)
    assert found.held.startswith("line 24, the last one, is cut off")
    with pytest.raises(Refused, match="no item that can be taken"):
        survey(io.BytesIO(ndjson([bad])), "x", modified_at=AT)


def test_a_window_of_which_no_value_can_be_taken_is_a_window_all_the_same():
    bad, window = put(item(9, duration_in_days=Tagged(N="5.5"))), scan(AT, since=AT)
    found = survey(io.BytesIO(archive(window, [bad])), "x", modified_at=AT)
    assert (found.records, found.refused, found.held) == (0, 1, "")
    found = survey(io.BytesIO(archive(window, [bad, bad])), "x", modified_at=AT)
    assert found.held.startswith("2 of 2 lines are refused")
    for other in (archive(scan(AT), [bad]), archive(window, ["[]"])):  # all of a table, and what is no item at all
        with pytest.raises(Refused, match="no item that can be taken"):
            survey(io.BytesIO(other), "x", modified_at=AT)


@pytest.mark.parametrize("line", ["[]", '{"Item":', '{"Item":{"treatment":1}}', '{"Item":[]}', "{}", '{"Keys":{}}'])
def test_a_line_that_is_no_item_says_so(line):
    content = ndjson([put(item()), line])
    (row,) = rows(content, "rejects")
    assert row["source_line"] == 2
    assert len(rows(content, "treatment_items")) == 1


@pytest.mark.parametrize("start", [b"", b"a,b\n1,2\n", b'{"resourceType":"Patient"}', b"[]", b"PK\x03\x04"])
def test_what_is_something_else_is_no_delivery_of_items(start):
    assert not is_items(start)
    assert not is_items_archive(io.BytesIO(start))


@given(st.binary(max_size=60), st.integers(0, 3))
def test_whatever_bytes_come_nothing_else_is_raised_and_no_name_is_told(junk, at):
    lines = ndjson([put(item(1, type=NAME, cost=NAME)), put(item(2))]).split(b"\n")
    content = b"\n".join([*lines[:at], junk, *lines[at:]])
    try:
        told = str([row for row in rows(content, "rejects") if row["stage"] == "value"])
        held = survey(io.BytesIO(content), "x", modified_at=AT).held
    except Refused as refused_whole:
        told, held = str(refused_whole), ""
    assert NAME not in told + held
