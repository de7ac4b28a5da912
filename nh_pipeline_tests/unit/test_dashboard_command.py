"""``nh dashboard`` where it cannot start: a sentence, and the exit code of whose fault it is."""

from __future__ import annotations

import socket
import sys
from importlib.util import find_spec

import pytest
from typer.testing import CliRunner

from nh_pipeline.cli import dashboard
from nh_pipeline.cli.main import app


@pytest.fixture
def nh(tmp_path):
    return lambda *arguments: CliRunner().invoke(app, ["dashboard", *arguments], env={"NH_HOME": str(tmp_path)})


def test_python_that_streamlit_does_not_run_on(nh, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 14))
    found = nh()
    assert found.exit_code == 2
    assert "Python 3.11" in found.output


def test_a_library_that_is_not_installed(nh, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 12, 0))
    monkeypatch.setattr(dashboard, "find_spec", lambda name: None if name == "altair" else find_spec("sys"))
    found = nh()
    assert found.exit_code == 2
    assert "altair" in found.output
    assert "nh-pipeline[dashboard]" in found.output


def test_a_port_that_is_taken(nh, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 12, 0))
    monkeypatch.setattr(dashboard, "find_spec", lambda _: find_spec("sys"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        found = nh("--port", str(taken.getsockname()[1]))
    assert found.exit_code == 1
    assert "--port" in found.output
