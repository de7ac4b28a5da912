"""Deliveries of treatments from raw to bronze: what lands, is refused, is held, and taken away again."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import dagster as dg
import pytest

from nh_pipeline.datasets.treatments.tables import EXTRACTIONS, REJECTS, TREATMENT_ITEMS
from nh_pipeline.landing.confirmations import confirm, withdraw
from nh_pipeline.landing.manifest import Quarantined
from nh_pipeline.orchestration.checks import checks
from nh_pipeline.orchestration.parts import asset_key
from nh_pipeline.orchestration.resources import LakeResource
from nh_pipeline.pipeline.plan import plan
from nh_pipeline.pipeline.status import status
from nh_pipeline.sample.treatments.writing import Tagged, archive, deleted, native, ndjson, put, scan
from nh_pipeline_tests.support import chain

pytestmark = pytest.mark.integration

CONTENTS = dg.AssetCheckKey(asset_key(TREATMENT_ITEMS), "contents_known")
AT = datetime(2024, 7, 1, 3, tzinfo=timezone.utc)


def item(number, **treatment):
    return {"treatment": {"id": number, **treatment}, "metadata": {"modified_at": "2024-06-01T00:00:00Z"}}


def landed(nh, folder, **contents):
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return {found.document.name: found.document for found in chain.land(nh, folder)}


def ids(nh):
    return [(row["op"], row["treatment_id"]) for row in chain.rows(nh.lake, TREATMENT_ITEMS)]


def test_deliveries_count_beside_each_other_and_one_that_is_withdrawn_goes(workspace, tmp_path):
    nh = workspace()
    window = native(AT + timedelta(days=1), since=AT)
    documents = landed(
        nh,
        tmp_path / "drop",
        scan=archive(
            scan(AT), [put(item(1))], [put(item(n)) for n in range(2, 40)] + [put(item(40, cost=Tagged(L=[])))]
        ),
        window=archive(window, [deleted({"treatment_id_partition_key": "1"}, AT)]),
    )
    assert {d.coverage.key for d in documents.values()} == {"2024-07-01", "2024-07-02"}
    facts = documents["scan"].export
    assert (facts.records, facts.refused, facts.extraction.is_full, facts.held) == (39, 1, True, "")
    chain.whole(nh)
    assert ids(nh).count(("delete", "1")) == 1
    assert len(ids(nh)) == 40
    (reject,) = chain.rows(nh.lake, REJECTS)
    assert (reject["treatment_id"], reject["path"], reject["source_line"]) == (40, "treatment.cost", 39)
    told = {row["mode"]: row for row in chain.rows(nh.lake, EXTRACTIONS)}
    assert (told["scan"]["items"], told["scan"]["refused"], told["export"]["deletions"]) == (39, 1, 1)
    assert told["export"]["dt"] == date(2024, 7, 2)
    assert not plan(nh.lake, nh.zone).builds
    assert chain.unsorted(nh.lake) == chain.without_ids(nh.lake) == []

    again = landed(nh, tmp_path / "again", other=archive(scan(AT), [put(item(50))]))
    assert again["other"].coverage.key == "2024-07-01"
    first = next(d for d in nh.zone.deliveries("treatments") if d.manifest.name == "scan")
    withdraw(nh.lake.storage, first, reason="a test")
    chain.whole(nh)
    assert sorted(ids(nh)) == [("delete", "1"), ("put", "50")]
    assert chain.rows(nh.lake, REJECTS) == []


def test_what_is_not_complete_goes_to_quarantine_with_both_numbers(workspace, tmp_path):
    nh = workspace()
    short = archive({**native(AT), "itemCount": 2}, [put(item(1))])
    (document,) = landed(nh, tmp_path / "drop", short=short).values()
    assert isinstance(document, Quarantined)
    assert (document.expected, document.found) == ("2 items by its summary", "1 by its list")


def test_lines_alone_are_a_window(workspace, tmp_path):
    nh = workspace()
    (document,) = landed(nh, tmp_path / "drop", lines=ndjson([put(item(1)), put(item(2))])).values()
    assert (document.dataset, document.export.extraction.mode, document.export.dt_source) == (
        "treatments",
        "file",
        "modified",
    )
    chain.whole(nh)
    assert ids(nh) == [("put", "1"), ("put", "2")]


def test_what_lacks_too_much_of_the_table_deletes_nothing_until_a_person_says_so(workspace, tmp_path):
    nh = workspace()
    having = {"a": range(40), "b": range(2, 40), "c": range(8, 40)}  # -, 5% and 16% less than the one before
    for day, (name, numbers) in enumerate(having.items()):
        bad = [put(item(39, cost=Tagged(L=[])))] * (name == "b")  # what is refused was there all the same
        lines = [*(put(item(number)) for number in numbers if number < 39 or not bad), *bad]
        other = archive(scan(AT, table="other"), [put(item(99))])
        landed(nh, tmp_path / name, **{name: archive(scan(AT + timedelta(days=day)), lines), "other": other})

    def counting():
        chain.whole(nh)
        return sorted((row["table_name"], row["started_at"].day) for row in chain.rows(nh.lake, EXTRACTIONS))

    (told,) = plan(nh.lake, nh.zone).not_counting
    assert (told.name, told.state) == ("c", "held")
    assert told.reason.startswith("it lacks 15.8% of the treatments of b, more than 5%. If it is complete: nh confirm ")
    assert counting() == [("other", 1), ("treatments", 1), ("treatments", 2)]
    confirm(nh.lake.storage, next(d for d in nh.zone.deliveries() if d.manifest.name == "c"), reason="a test")
    assert counting() == [("other", 1), ("treatments", 1), ("treatments", 2), ("treatments", 3)]


def test_since_when_deletions_are_unseen(workspace, tmp_path):
    nh = workspace()

    def told(name, summary):
        """What status says when this has landed, too."""
        landed(nh, tmp_path / name, **{name: archive(summary, [put(item(1))])})
        with dg.DagsterInstance.ephemeral() as instance:
            (found,) = status(nh.lake, nh.zone, instance, []).datasets
        return [line.partition(";")[0] for line in found.deletions_unseen]

    def window(day):
        return scan(AT + timedelta(days=day), since=AT + timedelta(days=day - 1))

    assert told("first", window(0)) == ["treatments: deletions unseen since 2024-06-30 03:00 UTC"]
    assert told("all", scan(AT)) == []
    assert told("next", window(1)) == []  # another full one may be under way
    assert told("later", window(2)) == ["treatments: deletions unseen since 2024-07-01 03:00 UTC"]
    assert told("export", native(AT + timedelta(days=2), since=AT + timedelta(days=1))) == []
    assert told("last", window(5)) == ["treatments: deletions unseen since 2024-07-03 03:00 UTC"]
    last = next(d for d in nh.zone.deliveries("treatments") if d.manifest.name == "export")
    withdraw(nh.lake.storage, last, reason="a test")
    assert told("again", window(4)) == ["treatments: deletions unseen since 2024-07-01 03:00 UTC"]


def test_an_attribute_that_comes_or_goes_is_told(workspace, tmp_path):
    nh = workspace()
    first = [put(item(n, type="Surgery")) for n in range(3)]
    landed(nh, tmp_path / "first", first=archive(scan(AT), first))
    assert plan(nh.lake, nh.zone).drift["treatments"] == ()
    later = [put({**item(n), "ward": "A"}) for n in range(3)]
    landed(nh, tmp_path / "later", later=archive(scan(AT + timedelta(days=1)), later))
    window = archive(scan(AT + timedelta(days=2), since=AT), [put(item(7))])  # which few items say nothing about
    landed(nh, tmp_path / "window", window=window)
    assert plan(nh.lake, nh.zone).drift["treatments"] == (
        "later (2024-07-02) has unknown ward",
        "later (2024-07-02) lacks treatment_type",
    )
    with dg.DagsterInstance.ephemeral() as instance:
        (check,) = (c for c in checks() if c.check_key == CONTENTS)
        selected = dg.AssetSelection.checks(CONTENTS)
        job = dg.define_asset_job("look", selected)
        lake = LakeResource(root=nh.lake.root)
        run = dg.Definitions(asset_checks=[check], jobs=[job], resources={"lake": lake}).resolve_job_def("look")
        (told,) = run.execute_in_process(instance=instance).get_asset_check_evaluations()
    assert (told.passed, told.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert all(word in str(told.metadata) for word in ("has unknown ward", "lacks treatment_type"))
    chain.whole(nh)
    kept = {row["extra_attributes"] for row in chain.rows(nh.lake, TREATMENT_ITEMS)}
    assert kept == {None, '{"ward":"A"}'}
