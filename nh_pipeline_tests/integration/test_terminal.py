"""What terminals, ports and options of the command line do to it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from nh_pipeline.cli import terminal
from nh_pipeline_tests.support.local import Nh

pytestmark = pytest.mark.integration


def nh_in(encoding, tmp_path, *arguments):
    env = {**os.environ, "NH_HOME": str(tmp_path / "lake"), "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "nh_pipeline_tests.support.few", *arguments]
    return subprocess.run(command, env=env, capture_output=True, check=False, timeout=120)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "cp437"])
def test_a_terminal_that_is_not_utf8_gets_what_it_can_show(tmp_path, encoding):
    found = nh_in(encoding, tmp_path, "query", "select '✓ 日本' as tick")
    assert found.returncode == 0, found.stderr
    assert b"?" in found.stdout
    assert b"tick" in found.stdout


def test_data_for_programs_are_utf8_all_the_same(tmp_path):
    found = nh_in("ascii", tmp_path, "query", "select '✓' as tick", "--format", "csv")
    assert found.stdout == "tick\n✓\n".encode()


def test_lines_of_a_run_can_be_shown_anywhere(monkeypatch):
    read, write = os.pipe()
    with os.fdopen(read, "rb") as shown, os.fdopen(write, "w", encoding="cp1252") as out:
        monkeypatch.setattr(sys, "stdout", out)
        terminal.take_any_encoding()
        terminal.console.print("  [green]✓[/] silver/dim_date")
        out.close()
        assert shown.read() == b"  ? silver/dim_date\n"


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 (what holds the port is a test's)
def test_a_port_that_is_in_use(tmp_path, address):
    with socket.socket() as taken:
        taken.bind((address, 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = Nh(tmp_path / "lake")("ui", "--port", str(port), exits=1)
    assert f"Port {port} of 127.0.0.1 cannot be used" in " ".join(found.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_none(tmp_path):
    Nh(tmp_path)("ui", "--port", "0", exits=2)
    Nh(tmp_path)("ui", "--port", "65536", exits=2)


@pytest.mark.parametrize("quarters", ["2024Q5", "2024", "2024Q1,,2024Q2", "", "Q1 2024"])
def test_a_quarter_that_is_none(tmp_path, quarters):
    found = Nh(tmp_path)("sample", "--out", tmp_path / "x", "--quarters", quarters, exits=2)
    assert "is no quarter: expected 2024Q2" in " ".join(found.stderr.split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", [("--seed", "-1"), ("--facilities", "0"), ("--releases", "-1")])
def test_numbers_that_cannot_be(tmp_path, option):
    Nh(tmp_path)("sample", "--out", tmp_path / "x", *option, exits=2)


def test_a_file_is_no_folder_to_write_to(tmp_path):
    (tmp_path / "x").touch()
    assert "found a file" in Nh(tmp_path)("sample", "--out", tmp_path / "x", exits=2).stderr
