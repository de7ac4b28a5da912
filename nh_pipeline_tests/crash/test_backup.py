"""A backup that is made while a build publishes is restored elsewhere, sound, and goes on where it was."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from nh_pipeline.datasets.cms.daily_nurse_staffing import FCT_STAFFING_LEVELS
from nh_pipeline.failpoints import Point
from nh_pipeline.lake.backup import backup
from nh_pipeline.lake.lake import Lake
from nh_pipeline.lake.relocate import relocate
from nh_pipeline.lake.storage import Storage
from nh_pipeline.pipeline.verify import verified
from nh_pipeline.sample import Correction, Deliveries
from nh_pipeline.tables import tables
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.killing import Mother
from nh_pipeline_tests.support.local import Nh

pytestmark = pytest.mark.integration

PLAN = Deliveries(6, ("2024Q2",), releases=1, days=35)
REPOSITORY = Path(__file__).resolve().parents[2]
STOPS = [Point.MOVED, Point.COMMITTING, Point.COMMITTED]


@pytest.fixture(scope="module")
def mother(tmp_path_factory):
    mother = Mother(tmp_path_factory.mktemp("mother") / "log")
    yield mother
    mother.end()


@pytest.fixture(scope="module")
def published(mother, tmp_path_factory):
    """A lake with three later deliveries of its quarter that are not in it yet."""
    root, drop = tmp_path_factory.mktemp("lakes") / "lake", tmp_path_factory.mktemp("drop")
    providers = next(p for p in PLAN.release(drop, 0) if "ProviderInfo" in p.name)
    mother(root, PLAN.staffing(drop, "2024Q2"), providers)
    fixes = (Correction(0, 1 + n, n, seed=n) for n in range(len(STOPS)))
    return root, [PLAN.corrected(drop, "2024Q2", fix) for fix in fixes]


def restored(copy, to, engine):
    """Where a backup was put; it is where its catalog says, and sound."""
    shutil.copytree(copy, to)
    lake = Lake(str(to))
    relocate(lake)
    found = list(verified(lake, lambda: engine))
    assert [fault for each in found for fault in each.faults] == []
    return lake


@pytest.mark.parametrize("number", range(len(STOPS)), ids=lambda n: STOPS[n].name)
def test_a_backup_while_a_build_publishes(mother, published, engine, tmp_path, number):
    root, later = published
    point, copy = STOPS[number], Storage(str(tmp_path / "copy"))
    before, pid_file = Lake(str(root)), tmp_path / "pid"
    where = later[number].name if point is Point.MOVED else FCT_STAFFING_LEVELS.name
    with closing(before.catalog), ThreadPoolExecutor(1) as pool:
        building = pool.submit(mother, root, later[number], at=(point.name, where), pid_file=pid_file)
        while not pid_file.exists():
            assert not building.done(), f"{point} was not reached"
            time.sleep(0.005)
        try:
            first = backup(before, tables(), copy)
        finally:
            os.kill(int(pid_file.read_text()), signal.SIGCONT)
        assert not building.result().killed
    assert first.copied == first.files
    lake = restored(copy.root, tmp_path / "restored", engine)
    # What was not in it is built; a delivery that had no manifest is handed over again.
    workspace = chain.workspace_at(lake.root, engine)
    chain.land(workspace, *([later[number]] if point is Point.MOVED else []))
    assert chain.whole(workspace)
    assert chain.whole(workspace) == []
    original = Lake(str(root))
    for table in tables():
        assert chain.table(lake, table).equals(chain.table(original, table)), table.name
    # Again, only what is new is copied; whatever else is there stays.
    second = backup(original, tables(), copy)
    assert 0 < second.copied < second.files
    again = restored(copy.root, tmp_path / "again", engine)
    assert chain.whole(chain.workspace_at(again.root, engine)) == []
    assert not list(Path(copy.root).rglob("*.partial"))


def test_the_documented_commands_back_up_and_restore(published, tmp_path):
    text = (REPOSITORY / "docs" / "maintenance.md").read_text(encoding="utf-8")
    lines = [
        line
        for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    ]
    assert [line.split()[1] for line in lines if " --home " not in line] == ["verify", "maintain", "backup", "-a"]
    (tmp_path / "srv").mkdir()
    nh, last = Nh(published[0]), ""
    for line in lines:
        command, *words = (
            word.replace("/backups", f"{tmp_path}/backups").replace("/srv", f"{tmp_path}/srv") for word in line.split()
        )
        last = nh(*words).output if command == "nh" else subprocess.check_output([command, *words], text=True)
    assert "nothing to do: every table is up to date" in last
    assert Path(tmp_path, "srv/nh/catalog.db").exists()
    told = " ".join(nh("backup", f"{published[0]}/within", exits=2).output.split())
    assert "choose a place apart" in told
    spoilt = next(Path(tmp_path, "srv/nh/warehouse/gold").rglob("*.parquet"))
    spoilt.unlink()
    told = Nh(tmp_path / "srv/nh")("backup", f"{tmp_path}/backups/nh", exits=1).output
    assert "no backup was made: gold." in " ".join(told.split())
