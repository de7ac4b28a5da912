"""The tracker of treatments: identities hold, and one that does not is told; a run without change says so."""

from __future__ import annotations

from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from nh_pipeline.lake.publish import find_staged
from nh_pipeline.marts.treatments.treatments import TREATMENTS
from nh_pipeline.model.quality import ETL_TRACKER
from nh_pipeline.pipeline.context import RunInfo
from nh_pipeline.pipeline.plan import plan
from nh_pipeline.pipeline.quality import BuildQuality
from nh_pipeline.sample import Deliveries
from nh_pipeline.sample.treatments import write_treatments
from nh_pipeline_tests.support import chain

pytestmark = [pytest.mark.integration, pytest.mark.every_mart]


@pytest.fixture(scope="module")
def nh(engine, tmp_path_factory):
    home, drop = (tmp_path_factory.mktemp(name) for name in ("lake", "drop"))
    write_treatments(drop, cms=Deliveries(40, ("2024Q1",)), treatments=700)
    nh = chain.workspace_at(home, engine)
    chain.land(nh, drop)
    chain.whole(nh)
    return nh


def steps(nh, run_id):
    rows = (row for row in chain.table(nh.lake, ETL_TRACKER).to_pylist() if row["id"].startswith(f"{run_id}:"))
    return {row["destination_table"].rpartition(".")[2]: row for row in rows}


def looked(nh, run_id):
    """What a run tells that looks once more."""
    again = replace(nh, run=RunInfo(run_id=run_id, asset="test"), lake=nh.lake.current)
    chain.published(BuildQuality(table=ETL_TRACKER.name).run(again).results)
    return steps(nh, run_id)


def test_every_step_is_told_by_counts_that_are_made_where_they_are(nh):
    found = steps(nh, "test")
    assert len(found) == 18
    assert {row["reconciliation_status"] for row in found.values()} == {"MATCH"}
    assert {row["status"] for row in found.values()} == {"SUCCESS"}
    counted = ("source_count", "destination_count", "explained_count")
    bronze, silver = ([found[name][of] for of in counted] for name in ("treatment_items", "treatments"))
    assert bronze[0] == bronze[1] + bronze[2]
    assert bronze[2] > 0
    assert silver == [bronze[1], nh.lake.snapshot(TREATMENTS).rows, bronze[1] - nh.lake.snapshot(TREATMENTS).rows]
    assert found["dim_times"]["explained_count"] == -1
    assert not plan(nh.lake, nh.zone).builds


def test_a_run_without_change_says_so_and_adds_its_rows(nh):
    found = looked(nh, "again")
    assert {row["status"] for row in found.values()} == {"UNCHANGED"}
    assert {name: row["source_count"] for name, row in found.items()} == {
        name: row["source_count"] for name, row in steps(nh, "test").items()
    }
    assert not plan(nh.lake, nh.zone).builds


def test_what_does_not_add_up_is_told(nh):
    """A table that somebody has cut short, past the gate."""
    base = nh.lake.snapshot(TREATMENTS)
    rows = chain.table(nh.lake, TREATMENTS)
    folder = nh.new_folder(TREATMENTS)
    with nh.lake.storage.create(f"{folder}/partition=all/rows.parquet") as sink:
        pq.write_table(rows.slice(1), sink)
    ids = nh.lake.field_ids(TREATMENTS)
    staged = find_staged(nh.lake, TREATMENTS, folder, ["all"], ids)
    nh.publish_if_valid(TREATMENTS, staged, [], base=base, extent="all", built_from={})
    found = looked(nh, "broken")
    wrong = {name for name, row in found.items() if row["reconciliation_status"] == "MISMATCH"}
    assert "fact_treatments" in wrong
    assert "treatment_items" not in wrong
    assert found["treatments"]["status"] == "SUCCESS"
    assert found["fact_treatments"]["status"] == "UNCHANGED"


def test_while_nothing_has_landed_there_is_nothing_to_tell(workspace):
    empty = workspace()
    chain.published(BuildQuality(table=ETL_TRACKER.name).run(empty).results)
    assert chain.table(empty.lake, ETL_TRACKER).num_rows == 0
