"""One lake of treatments on every engine: from the same extractions, Sail and the JVM build the same."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from nh_pipeline.datasets.treatments import TREATMENTS
from nh_pipeline.domains import VARIABLE
from nh_pipeline.lake.lake import Lake
from nh_pipeline.marts import treatments
from nh_pipeline.sample import Deliveries
from nh_pipeline.sample.treatments import write_treatments
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.jvm import built

pytestmark = [pytest.mark.integration, pytest.mark.every_mart, pytest.mark.timeout(2700)]

TABLES = (*TREATMENTS.tables, *(mart.table for mart in treatments.MARTS))


@pytest.fixture(scope="module")
def lakes(engine, tmp_path_factory):
    """The lake of Sail, and that of the JVM, which a process beside it builds."""
    drop, sail, jvm = (tmp_path_factory.mktemp(name) for name in ("drop", "sail", "jvm"))
    write_treatments(drop, cms=Deliveries(40, ("2024Q1",)), treatments=1500)
    with ThreadPoolExecutor(1) as pool, pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, "treatments")
        beside = pool.submit(built, jvm, drop)
        workspace = chain.workspace_at(sail, engine)
        chain.land(workspace, drop)
        chain.whole(workspace)
        beside.result()
        yield workspace.lake, Lake(str(jvm))


@pytest.mark.parametrize("contract", TABLES, ids=lambda table: table.name)
def test_every_table_is_the_same(lakes, contract):
    expected, found = (chain.table(lake, contract) for lake in lakes)
    assert found.num_rows == expected.num_rows > 0
    assert [c for c in contract.names if not found[c].equals(expected[c])] == []


def test_every_file_is_as_its_table_declares(lakes):
    for lake in lakes:
        assert chain.without_ids(lake) == chain.unsorted(lake) == []
