"""``nh treatments``: what it prints, and how it exits."""

from __future__ import annotations

import re

import pytest

from nh_pipeline_tests.support.aws_server import denied
from nh_pipeline_tests.support.deployment import nh
from nh_pipeline_tests.support.dynamodb import Treatments, exported

pytestmark = pytest.mark.integration


@pytest.fixture
def table(aws, tmp_path, monkeypatch):
    monkeypatch.setenv("NH_HOME", str(tmp_path / "lake"))
    made = Treatments(aws)
    monkeypatch.setenv("NH_TREATMENTS_TABLE", made.name)
    return made


def test_extracting_says_what_was_read_and_what_became_of_it(table):
    for number in range(3):
        table.put(number, {"S": f"2024-05-01T10:0{number}:00Z"})
    told = nh("treatments", "extract")
    assert "3 items of the whole table (scan)\nwatermark: 2024-05-01 10:02:00 UTC\nlanded: dynamodb-treatments-" in told
    table.put(3, {"S": "2024-05-01T11:00:00Z"})
    told = nh("treatments", "extract")
    assert "4 items modified since 2024-05-01 09:52:00 UTC (scan)\nwatermark: 2024-05-01 11:00:00 UTC\nlanded" in told
    nh("treatments", "extract")
    told = nh("treatments", "extract")
    assert told.splitlines()[1] == "the same ones as the last time: nothing to land"
    assert "4 items of the whole table" in nh("treatments", "extract", "--full")
    assert "1 items modified since 2024-05-01 10:30:00" in nh("treatments", "extract", "--from", "2024-05-01T10:30:00Z")
    assert "(scan)" in nh("treatments", "extract", "--mode", "scan")


def test_what_is_held_ends_with_3(table):
    dear = {"M": {"id": {"N": "2"}, "cost": {"S": "a lot"}}}
    table.put(1, {"S": "2024-05-01T10:00:00Z"})
    for number in (2, 3):
        table.put(number, {"S": "2024-05-01T10:00:00Z"}, treatment=dear)
    told = " ".join(nh("treatments", "extract", exits=3).split())
    assert "watermark: none held dynamodb-treatments" in told
    assert re.search(r"2 of 3 lines are refused.*\. If it is right: nh confirm [0-9a-f]{8}", told)
    table.put(3, {"S": "2024-05-01T10:00:00Z"})
    told = nh("treatments", "extract")
    assert "watermark: 2024-05-01 10:00:00 UTC\nlanded" in told
    assert "refused 1 of 3 items are refused: treatments_bronze.rejects will say why" in told


@pytest.mark.parametrize(
    ("arguments", "env", "exits", "says"),
    [
        (("extract", "--from", "yesterday"), {}, 2, "--from yesterday: expected an instant"),
        (("extract", "--full", "--from", "2024-05-01"), {}, 2, "expected one of them"),
        (("extract",), {"NH_TREATMENTS_TABLE": ""}, 2, "set NH_TREATMENTS_TABLE"),
        (("check",), {"NH_TREATMENTS_TABLE": ""}, 2, "set NH_TREATMENTS_TABLE"),
        (("extract",), {"NH_TREATMENTS_MODE": "query"}, 2, "expected the index's name in NH_TREATMENTS_INDEX"),
        (("import", "nowhere"), {}, 2, "has no export of DynamoDB"),
    ],
)
def test_wrong_usage_is_said(table, arguments, env, exits, says):
    assert says in " ".join(nh("treatments", *arguments, exits=exits, **env).split())


def test_exports_are_imported_once(table, tmp_path):
    exported(tmp_path / "exports", [{"Item": {"treatment_id_partition_key": {"S": "1"}}}])
    assert nh("treatments", "import", tmp_path / "exports").startswith("landed: dynamodb-export-0171980")
    assert nh("treatments", "import", tmp_path / "exports").startswith("known already: dynamodb-export-0171980")


def found(told: str) -> dict[str, str]:
    """Marks by subject."""
    return {line[2:].split()[0]: line[0] for line in told.splitlines() if line[0] in "✓✗-"}


def test_checking_says_what_is_missing(table, aws):
    index = {"NH_TREATMENTS_INDEX": table.index}
    told = nh("treatments", "check", **index)
    assert found(told) == {"table": "✓", "scan": "✓", "index": "✓", "export": "-"}  # which no extraction needs
    assert "is ACTIVE, with about 0 items" in told
    assert "its point-in-time recovery is off" in told
    recovery = {"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}}
    table.client.update_continuous_backups(TableName=table.name, **recovery)
    assert found(nh("treatments", "check", **index))["export"] == "✓"
    told = nh("treatments", "check", exits=1, NH_TREATMENTS_INDEX="other")
    assert found(told)["index"] == "✗"
    assert "has no index 'other', found by_time" in told
    with aws.failing("dynamodb:Scan", denied):
        told = nh("treatments", "check", exits=1, **index)
    assert found(told) == {"table": "✓", "scan": "✗", "index": "✓", "export": "✓"}
    assert f"dynamodb:Scan on {table.name} is denied" in told
    told = nh("treatments", "check", exits=1, NH_TREATMENTS_TABLE="nowhere")
    assert found(told) == {"table": "✗", "scan": "✗", "export": "-"}
