"""Commands and the lake that settings name: who only looks makes none, and none is fed to itself."""

from __future__ import annotations

import json
import os
import sys
import zipfile

import pytest
from pydantic import ValidationError

from nh_pipeline.sample import Deliveries
from nh_pipeline.settings import Settings
from nh_pipeline_tests.support.local import Nh

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch, tmp_path):
    for name in [n for n in os.environ if n.startswith("NH_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_looking_makes_nothing(tmp_path):
    nh = Nh(tmp_path / "typo")
    commands = (
        ["status", "--json"],
        ["query", "select count(*) from silver.dim_date"],
        ["quarantine", "list"],
        ["ddl"],
        ["materialize", "--dry-run"],
    )
    for command in commands:
        nh(*command)
    nh("relocate", exits=1)
    assert f"no lake at {nh.home}" in " ".join(nh("status").stderr.split()).replace("- ", "-")
    for command in (["confirm", "abc"], ["withdraw", "abc", "--reason", "x"], ["rebuild", "gold.facility_month"]):
        nh(*command, exits=2)
    assert list(tmp_path.iterdir()) == []


def test_looking_at_what_has_landed_makes_no_catalog(tmp_path):
    nh = Nh(tmp_path / "lake")
    nh("ingest", *Deliveries(3, ("2024Q2",), releases=1, days=2).write(tmp_path / "in"))
    there = sorted(p.name for p in nh.home.iterdir())
    for command in (["status"], ["query", "select 1"], ["quarantine", "list"], ["materialize", "--dry-run"]):
        nh(*command)
    assert sorted(p.name for p in nh.home.iterdir()) == there == ["raw"]


@pytest.mark.parametrize("path", [".", "lake", "lake/raw", "lake/quarantine", "link/lake"])
def test_a_lake_is_not_fed_to_itself(tmp_path, path):
    nh = Nh(tmp_path / "lake")
    nh("ingest", *Deliveries(3, ("2024Q2",), releases=1, days=2).write(tmp_path / "lake" / "drop"))  # there they may be
    (tmp_path / "link").symlink_to(tmp_path)
    before = sorted(nh.home.rglob("*"))
    for command in ("ingest", "run"):
        assert "Keep the lake and what is delivered apart" in " ".join(nh(command, path, exits=2).stderr.split())
    assert sorted(nh.home.rglob("*")) == before
    with pytest.raises(ValidationError, match="NH_SOURCE is"):
        Settings(home=str(nh.home), source=path)


def test_a_source_that_is_away_is_no_wrong_usage(tmp_path):
    (tmp_path / "mounted").symlink_to(tmp_path / "elsewhere")
    Nh(tmp_path / "lake")("ingest", tmp_path / "mounted", exits=1)
    Nh(tmp_path / "lake")("ingest", tmp_path / "typo", exits=2)


def test_the_hidden_default_lake_may_be_beside_what_is_delivered(tmp_path):
    Deliveries(3, ("2024Q2",), releases=1, days=2).write(tmp_path)
    nh = Nh(tmp_path / ".nh")
    counted = nh("ingest", ".").stdout
    assert nh("ingest", ".").stdout.startswith(f"0 landed, {counted.split()[0]} known already")


@pytest.mark.parametrize("name", ["manifest", "reason", "archive"])
def test_a_damaged_document_is_no_wrong_usage(tmp_path, monkeypatch, name):
    nh = Nh(tmp_path / "lake")
    folder = tmp_path / "in"
    one, *others = Deliveries(3, ("2024Q2",), releases=1, days=2).write(folder)
    with zipfile.ZipFile(folder / "others.zip", "w") as archive:
        for path in others:
            archive.write(path, path.name)
    (folder / "odd.csv").write_text("when,who\n2024-04-01,me\n")
    nh("ingest", one, folder / "others.zip", folder / "odd.csv", exits=3)
    damaged = next(iter(sorted(nh.home.rglob(f"{name}.json"))))
    damaged.write_text(json.dumps({"dataset": "x"}))
    from nh_pipeline.cli import main as cli  # noqa: PLC0415

    monkeypatch.setenv("NH_HOME", str(nh.home))
    said: list[str] = []
    monkeypatch.setattr(cli.errors, "print", lambda text, **_: said.append(text))
    monkeypatch.setattr("sys.argv", ["nh", "status"])
    monkeypatch.setattr(cli, "_leave", sys.exit)  # as this process goes on
    monkeypatch.setattr(cli.renewal, "allow", lambda: None)  # nor is it replaced
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 1
    assert f"{damaged} is damaged" in said[0]
    assert damaged.exists()


def test_nothing_is_confirmed_by_an_empty_id(tmp_path):
    nh = Nh(tmp_path / "lake")
    (one,) = Deliveries(3, ("2024Q2",), releases=1, days=2).write(tmp_path / "in")[:1]
    nh("ingest", one)
    for command in (["confirm", ""], ["withdraw", "", "--reason", "x"], ["quarantine", "show", ""]):
        nh(*command, exits=2)
    assert not (nh.home / "state").exists()
