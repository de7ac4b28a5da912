"""Engines that do not answer, and signals: a word within seconds, an end after the commit."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from nh_pipeline.engines import spark, stopping
from nh_pipeline.engines.spark import EngineError, require_engine
from nh_pipeline.errors import told
from nh_pipeline_tests.support.local import Nh

pytestmark = pytest.mark.integration


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_a_server_that_is_not_there_or_says_nothing(monkeypatch):
    monkeypatch.setattr(spark, "ANSWER_SECONDS", 1)
    with socket.socket() as mute:  # takes the connection, and says nothing
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        for port in (free_port(), mute.getsockname()[1]):
            started = time.monotonic()
            with pytest.raises(EngineError, match="no Spark Connect server answers there within 1 s") as caught:
                require_engine(f"sc://127.0.0.1:{port}/;token=geheim")
            assert time.monotonic() - started < 60
            said = told(caught.value)
            assert said
            assert f"NH_ENGINE is sc://127.0.0.1:{port}/" in said
            assert "geheim" not in said


@pytest.mark.parametrize("java", ["", "exit 1"])
def test_a_java_that_does_not_run(monkeypatch, tmp_path, java):
    if java:
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "java").write_text(f"#!/bin/sh\n{java}\n")
        (tmp_path / "bin" / "java").chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(EngineError, match="Correct JAVA_HOME"):
        require_engine("jvm")


def test_a_java_that_does_not_answer(monkeypatch, tmp_path):
    monkeypatch.setattr(spark, "JAVA_SECONDS", 0.5)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").write_text("#!/bin/sh\nexec sleep 30\n")
    (tmp_path / "bin" / "java").chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(EngineError, match="timed out"):
        require_engine("jvm")


def test_the_bundled_java_runs(monkeypatch):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    require_engine("jvm")


def test_no_run_is_begun_without_an_engine(tmp_path, monkeypatch):
    monkeypatch.setattr(spark, "ANSWER_SECONDS", 1)
    nh = Nh(tmp_path)
    monkeypatch.setattr(Nh, "engine", f"sc://127.0.0.1:{free_port()}")
    with pytest.raises(AssertionError, match="EngineError"):  # which the entry point says in one sentence
        nh("materialize", "--select", "silver/dim_date")
    assert nh.runs() == []


def test_a_signal_is_a_request_and_work_goes_on_beside_it():
    said: list[str] = []
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    def work() -> str:
        os.kill(os.getpid(), signal.SIGTERM)
        end = time.monotonic() + 60
        while not stopping.requested() and time.monotonic() < end:
            time.sleep(0.01)
        return "done"

    with stopping.on_signals(lambda: said.append("heard")):
        assert not stopping.requested()
        assert stopping.aside(work) == "done"
        assert stopping.requested()
        assert stopping.exit_code() == 143
    assert said == ["heard"]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    with stopping.on_signals(lambda: None):
        assert not stopping.requested()


def test_the_second_signal_ends_the_process():
    program = (
        "import os, signal, time\nfrom nh_pipeline.engines import stopping\n"
        "with stopping.on_signals(lambda: print('heard', flush=True)):\n"
        "    stopping.aside(lambda: [print('begun', flush=True), time.sleep(60)])\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "heard\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == -signal.SIGINT


@pytest.mark.integration
def test_a_session_is_made_anew_when_the_embedded_engine_has_died():
    program = (
        "from nh_pipeline.engines import spark\n"
        "first = spark.spark_session('sail')\n"
        "assert spark.spark_session('sail') is first\n"
        "assert first.sql('select 1').count() == 1\n"
        "import atexit, gc\n"
        "from pysail.spark import SparkConnectServer\n"
        "[server.stop() for server in gc.get_objects() if isinstance(server, SparkConnectServer)]\n"
        "again = spark.spark_session('sail')\n"
        "assert again is not first\n"
        "print(again.sql('select 2 as a').collect()[0].a)\n"
    )
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=False, timeout=120
    )
    assert found.stdout == "2\n", found.stderr


@pytest.mark.parametrize(("seconds", "told"), [("", "3 3"), ("1", "3 is not running")])
def test_a_session_outlives_what_a_process_does_beside_it(seconds, told):
    """Landing large files, or waiting for another: by default Sail ends a session after a quarter of an hour."""
    code = """
import os, time
from nh_pipeline.engines import spark
session = spark.spark_session("sail")
print(session.range(3).count(), flush=True)
time.sleep(4)
try:
    print(session.range(3).count(), flush=True)
except Exception as error:
    print(str(error)[-14:], flush=True)
assert int(os.environ["SAIL_SPARK__SESSION_TIMEOUT_SECS"]) in (1, spark.SESSION_SECONDS)
os._exit(0)
"""
    known = {k: v for k, v in os.environ.items() if not k.startswith(("SPARK_", "SAIL_"))}
    env = {**known, **({"SAIL_SPARK__SESSION_TIMEOUT_SECS": seconds} if seconds else {})}
    command = [sys.executable, "-W", "ignore", "-c", code]
    found = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert " ".join(found.stdout.split()) == told
