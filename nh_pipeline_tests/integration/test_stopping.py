"""Ctrl-C and SIGTERM in ``nh``: an end after the commit, and words on what is left; several first runs at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from nh_pipeline.sample import Deliveries
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.local import Nh

pytestmark = [
    pytest.mark.integration,
    pytest.mark.at_length,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PLAN = Deliveries(12, ("2024Q2",), releases=1, days=3)
OF_PLAN = ("PBJ_", "NH_ProviderInfo_")


def begun(nh, *arguments):
    env = {**os.environ, "NH_HOME": str(nh.home), "NH_ENGINE": "sail", "COLUMNS": "120", "PYTHONUNBUFFERED": "1"}
    env.pop("SPARK_CONNECT_MODE_ENABLED", None)
    command = [sys.executable, "-m", "nh_pipeline_tests.support.few", *map(str, arguments)]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.parametrize(("number", "seen"), [(signal.SIGINT, "bronze/"), (signal.SIGTERM, "bronze/providers_raw")])
def test_the_first_signal_ends_it_after_the_commit(drop, tmp_path, number, seen):
    nh = Nh(tmp_path / "lake")
    with begun(nh, "run", drop) as process:
        assert process.stdout
        told = next(line for line in process.stdout if seen in line)
        process.send_signal(number)
        told += process.stdout.read()
        assert process.wait(600) == 128 + number, told
    assert "stopping" in told
    assert "Traceback" not in told
    assert "Not done is" in told
    assert "silver.dim_date: not built yet" in told
    assert "runs done\n" not in told
    made = {c.name for c in chain.TABLES if nh.lake.load(c) is not None}
    assert "gold.facility_measures" not in made  # no further run began
    assert all(run.is_finished for run in nh.runs())
    assert "done" in nh("materialize").stdout
    assert nh("materialize").stdout.startswith("nothing to do")


def test_two_first_runs_at_once(drop, tmp_path):
    nh = Nh(tmp_path / "lake")
    both = [begun(nh, "materialize", "--select", "silver/dim_date") for _ in range(3)]
    for process in both:
        told, _ = process.communicate(timeout=300)
        assert process.returncode == 0, told
        assert "Traceback" not in told
    assert len(nh.runs()) == 3
    assert {run.status.value for run in nh.runs()} == {"SUCCESS"}


@pytest.mark.parametrize(("arguments", "code"), [("--help", 0), ("materialize --select nothing/like_it", 2)])
def test_a_crash_while_python_ends_does_not_cost_the_exit_code(tmp_path, arguments, code):
    """Threads of Arrow, gRPC or the engine crash Python then, now and then; here it is certain."""
    crash = "import atexit, os, signal; atexit.register(os.kill, os.getpid(), signal.SIGSEGV)"
    command = [sys.executable, "-c", f"{crash}; from nh_pipeline.cli.main import main; main()", *arguments.split()]
    ended = subprocess.run(command, env={**os.environ, "NH_HOME": str(tmp_path)}, capture_output=True, check=False)
    assert ended.returncode == code, ended.stderr
    assert ended.stdout or ended.stderr
