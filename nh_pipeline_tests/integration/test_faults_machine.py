"""A full disk, a read-only lake, a locked catalog: one clear error, nothing changed, and the next run heals."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing, contextmanager

import dagster as dg
import pytest

from nh_pipeline.errors import InfrastructureError, explain
from nh_pipeline.lake.lake import Lake
from nh_pipeline.sample import Correction, Deliveries
from nh_pipeline_tests.crash.test_faults_runs import started
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.local import Nh
from nh_pipeline_tests.support.runbook import RUNBOOK, not_said
from nh_pipeline_tests.support.small_disk import ONLY_ROOT, filled, small_disk

pytestmark = pytest.mark.integration

PLAN = Deliveries(20, ("2024Q2",), releases=0, days=20)


@contextmanager
def tmpfs(folder, size):
    with small_disk(folder, size) as mounted:
        if not mounted:
            pytest.skip(ONLY_ROOT)
        yield folder


def remount(folder, how):
    subprocess.run(["mount", "-o", f"remount,{how}", folder], check=True)


def everything(root):
    lake = Lake(str(root))
    with closing(lake.catalog):
        return {c.name: chain.table(lake, c) for c in chain.TABLES}


def trouble(workspace, file) -> str:
    """What a run says that lands and builds a file; nothing if it succeeds."""
    try:
        chain.land(workspace, file)
        chain.whole(workspace)
    except InfrastructureError as error:
        return str(error)
    return ""


@pytest.fixture(scope="module")
def quarter(tmp_path_factory):
    """A delivery and its correction."""
    folder = tmp_path_factory.mktemp("quarter")
    return PLAN.staffing(folder, "2024Q2"), PLAN.corrected(folder, "2024Q2", Correction(0, 5))


@pytest.fixture(scope="module")
def undisturbed(engine, tmp_path_factory, quarter):
    """All tables before and after the correction."""
    workspace = chain.workspace_at(tmp_path_factory.mktemp("undisturbed"), engine)
    states = []
    for file in quarter:
        chain.land(workspace, file)
        chain.whole(workspace)
        states.append({c.name: chain.table(workspace.lake, c) for c in chain.TABLES})
    return states


def test_a_disk_that_is_full_at_every_step(engine, tmp_path, quarter, undisturbed):
    """Ever more of the space that a correction needs is there, until it is enough."""
    with tmpfs(tmp_path / "small", "24m") as disk:
        workspace, told = chain.workspace_at(disk / "lake", engine), []
        assert not trouble(workspace, quarter[0])
        for leave in range(0, 1_500_000, 100_000):
            ballast = filled(disk, leave)
            told.append(trouble(workspace, quarter[1]))
            ballast.unlink()
            for name, rows in everything(disk / "lake").items():
                assert any(rows.equals(state[name]) for state in undisturbed), (leave, name)
            if not told[-1]:
                break
        assert len(told) > 3
        assert all("there is no space left" in t and "What to do: free some space" in t for t in told[:-1])
        assert not trouble(workspace, quarter[1])
        workspace.lake.catalog.close()
        now = everything(disk / "lake")
        assert {n: t.equals(undisturbed[1][n]) for n, t in now.items()} == dict.fromkeys(now, True)


def test_a_read_only_lake(engine, tmp_path, quarter, undisturbed):
    with tmpfs(tmp_path / "small", "24m") as disk:
        workspace = chain.workspace_at(disk / "lake", engine)
        assert not trouble(workspace, quarter[0])
        workspace.lake.catalog.close()  # a file that is open for writing keeps the file system writable
        remount(disk, "ro")
        assert "read-only" in (told := trouble(workspace, quarter[1]))
        assert "What to do: mount it for writing" in told
        with pytest.raises(InfrastructureError, match="read-only"):
            chain.staffing(workspace)
        now = everything(disk / "lake")  # it can be read
        assert {n: t.equals(undisturbed[0][n]) for n, t in now.items()} == dict.fromkeys(now, True)
        workspace.lake.catalog.close()
        remount(disk, "rw")
        assert not trouble(workspace, quarter[1])
        now = everything(disk / "lake")
        assert {n: t.equals(undisturbed[1][n]) for n, t in now.items()} == dict.fromkeys(now, True)


def test_a_locked_catalog(engine, tmp_path, quarter):
    workspace = chain.workspace_at(tmp_path, engine)
    assert not trouble(workspace, quarter[0])
    before = chain.snapshots(workspace.lake)
    workspace.lake = Lake(str(tmp_path), {"busy-timeout": "1"})
    with closing(sqlite3.connect(tmp_path / "catalog.db", isolation_level=None)) as db:
        db.execute("begin immediate")
        told = trouble(workspace, quarter[1])
    assert "The Iceberg catalog (catalog.db): another process holds the lock of a database" in told
    assert "What to do: wait until it is through" in told
    assert chain.snapshots(workspace.lake) == before
    assert not trouble(workspace, quarter[1])
    after = chain.snapshots(workspace.lake)
    assert after[chain.FACILITY_MEASURES.name] == before[chain.FACILITY_MEASURES.name] + 1


def test_nh_says_it_in_one_message(tmp_path, quarter):
    with tmpfs(tmp_path / "small", "24m") as disk:
        filled(disk, 50_000)
        process = started(disk / "lake", "ingest", quarter[0])
        told = process.communicate(timeout=600)[0].decode()
        assert process.returncode == 1, told
        full, read_only = RUNBOOK["There is no space left"].seen
        assert not_said([full], told) == []
        assert "Traceback" not in told
        (disk / "ballast").unlink()
        remount(disk, "ro")
        process = started(disk / "lake", "run", quarter[0])
        told = process.communicate(timeout=600)[0].decode()
        assert process.returncode == 1, told
        assert not_said([read_only], told) == []
        assert "Traceback" not in told


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_run_of_dagster_fails_with_the_message(tmp_path, quarter, monkeypatch):
    monkeypatch.setenv("NH_CATALOG_URL", f"sqlite:///{tmp_path}/catalog.db?timeout=1")
    nh = Nh(tmp_path / "lake")
    (release,) = (p for p in Deliveries(20, releases=1).release(tmp_path, 0) if "ProviderInfo" in p.name)
    nh("ingest", release)
    lake = Lake(str(nh.home), {"type": "sql", "uri": f"sqlite:///{tmp_path}/catalog.db"})
    with closing(lake.catalog), closing(sqlite3.connect(tmp_path / "catalog.db", isolation_level=None)) as db:
        db.execute("begin immediate")
        found = nh("materialize", "--select", "bronze/providers*", exits=1)
    told = " ".join(found.stdout.split())
    assert "bronze/providers_raw:" in told
    assert "The Iceberg catalog (catalog.db): another process holds the lock of a database" in told
    (run,) = nh.runs()
    assert run.status is dg.DagsterRunStatus.FAILURE
    assert nh("materialize", "--select", "bronze/providers*").stdout.endswith("1 run done\n")
    assert lake.snapshot(chain.BRONZE["providers"]).rows


def test_other_errors_keep_their_own_words():
    assert explain(ValueError("No space left on device")) is None
    assert explain(FileNotFoundError(2, "No such file", "x")) is None
