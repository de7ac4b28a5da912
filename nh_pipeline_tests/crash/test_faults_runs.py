"""``nh run`` killed at random moments: nothing stays locked or started, and the next ``nh run`` brings it all up."""

from __future__ import annotations

import os
import random
import shlex
import signal
import subprocess
import sys
import time

import dagster as dg
import pytest

from nh_pipeline.orchestration.dead_runs import PROCESS_TAG, fail_dead_runs, process_lock
from nh_pipeline.sample import Deliveries
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.local import Nh
from nh_pipeline_tests.support.runbook import RUNBOOK, not_said

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PLAN = Deliveries(8, ("2024Q2",), releases=1, days=2)
KILLS = 4


def started(home, *arguments, **environment) -> subprocess.Popen[bytes]:
    """``nh`` as a process of its own."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("SPARK_")}
    env |= {"NH_HOME": str(home), "NH_ENGINE": "sail", "COLUMNS": "200", **environment}
    return subprocess.Popen([sys.executable, "-m", "nh_pipeline_tests.support.few", *map(str, arguments)], env=env,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip


def test_nh_run_killed_at_random_moments(engine, tmp_path):
    chance, nh, drop = random.Random(5), Nh(tmp_path / "lake"), tmp_path / "drop"  # noqa: S311
    PLAN.staffing(drop, "2024Q2")
    for path in PLAN.release(drop, 0):
        if "ProviderInfo" not in path.name:
            path.unlink()
    locks = nh.home / "dagster" / "processes"
    killed = []
    for number in range(KILLS):
        process = started(nh.home, "run", drop)
        end = time.monotonic() + 300
        # The first one dies while it lands, or before; the others while a run of Dagster executes.
        while number and not _holder(locks, process.pid) and process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 3))
        process.kill()
        killed.append(process.wait(30) == -signal.SIGKILL)
        process.stdout.close()
        assert nh("status").stdout
    assert sum(killed) >= KILLS - 1
    before = nh.runs()
    # The next `nh run` has failed the ones that were cut off, but for the last.
    assert any(r.status != dg.DagsterRunStatus.SUCCESS for r in before), "no run was cut off"
    told = nh("run", drop).stdout
    assert "done" in told or "nothing to do" in told
    assert all(r.is_finished for r in nh.runs())
    assert {r.status for r in nh.runs() if r.run_id not in {b.run_id for b in before}} <= {dg.DagsterRunStatus.SUCCESS}
    assert list(locks.iterdir()) == []
    counts = chain.snapshots(nh.lake)
    (command,) = RUNBOOK[entry := "A run was killed, or the machine went down"].commands
    assert not_said(RUNBOOK[entry].seen, nh(*shlex.split(command)[1:]).stdout) == []
    assert chain.snapshots(nh.lake) == counts
    whole = chain.workspace_at(tmp_path / "undisturbed", engine)
    chain.land(whole, drop)
    chain.whole(whole)
    for contract in chain.TABLES:
        assert chain.table(nh.lake, contract).equals(chain.table(whole.lake, contract)), contract.name


def _holder(locks, pid):
    return any(f"-{pid}-" in p.name for p in locks.glob("*"))


def test_only_runs_whose_process_is_gone_are_failed(tmp_path):
    nh = Nh(tmp_path)
    home = nh.home / "dagster"
    with nh.instance as instance:

        def run(**tags):
            made = instance.create_run_for_job(_nothing, tags=tags)
            instance.report_engine_event("x", made)
            return instance.get_run_by_id(made.run_id)

        with process_lock(instance) as mine:
            alive = run(**{PROCESS_TAG: mine})
            other = run()  # of the daemon: it watches its own
            dead = run(**{PROCESS_TAG: "host-1-gone"})
            killed = run(**{PROCESS_TAG: "host-2-left"})
            (home / "processes" / "host-2-left").touch()
            (home / "processes" / "host-3-left-before-it-had-a-run").touch()
            (home / "processes" / "host-4-gone-journal").write_bytes(b"no database" * 99)
            for odd in ("../../catalog.db", "/etc/hostname", ".", "a/b", " "):  # as somebody typed them
                run(**{PROCESS_TAG: odd})
            (nh.home / "catalog.db").write_bytes(b"the catalog")
            assert set(fail_dead_runs(instance)) == {dead.run_id, killed.run_id}
            assert (nh.home / "catalog.db").read_bytes() == b"the catalog"
            assert fail_dead_runs(instance) == []
            assert [path.name for path in (home / "processes").iterdir()] == [mine]
        statuses = {r.run_id: r.status for r in instance.get_runs()}
        assert statuses[dead.run_id] == statuses[killed.run_id] == dg.DagsterRunStatus.FAILURE
        assert not any(statuses[r.run_id] == dg.DagsterRunStatus.FAILURE for r in (alive, other))
        (event,) = [e for e in instance.all_logs(dead.run_id) if e.dagster_event and e.dagster_event.is_job_failure]
        assert "ended without a word" in event.message
        assert list((home / "processes").iterdir()) == []


@dg.job
def _nothing():
    pass


def test_the_instance_watches_runs_of_the_daemon(tmp_path):
    with Nh(tmp_path).instance as instance:
        assert instance.run_monitoring_enabled
        assert instance.run_monitoring_max_runtime_seconds == 6 * 3600
    config = tmp_path / "dagster" / "dagster.yaml"
    config.write_text("telemetry:\n  enabled: false\n")
    with Nh(tmp_path).instance as instance:
        assert not instance.run_monitoring_enabled
