"""``nh quarantine``: one place to look, and the way back."""

from __future__ import annotations

import gzip
import json
import os

import pytest

from nh_pipeline.landing import archive
from nh_pipeline_tests.support.local import Nh
from nh_pipeline_tests.support.memory_source import md5_of
from nh_pipeline_tests.unit.test_landing_recognise import claims, staffing

ODD = b"when,[red]who\x1b[31m\n2024-04-01,me\n"


@pytest.fixture
def nh(tmp_path):
    return Nh(tmp_path / "lake")


def drop(nh, tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    nh("ingest", path, exits=3)
    return md5_of(content)


def entries(nh):
    return json.loads(nh("quarantine", "list", "--json").stdout)


def test_list_and_show(nh, tmp_path):
    assert nh("quarantine", "list").stdout == "nothing is set aside\n"
    md5 = drop(nh, tmp_path, "odd [bold]\x1b[31m.csv", ODD)
    (entry,) = entries(nh)
    assert (entry["id"], entry["state"], entry["overrulable"]) == (md5, "quarantined", False)
    told = nh("quarantine", "list").stdout
    assert md5[:12] in told
    assert "not a known CMS file" in " ".join(told.split())
    assert max(map(len, told.splitlines())) <= 80
    shown = nh("quarantine", "show", md5[:4]).stdout
    assert "\x1b" not in told + shown
    assert "odd [bold]\\x1b[31m.csv" in shown
    assert "when,[red]who\\x1b[31m" in shown
    for word in ("expected", "found", "what to do", "2023-11-14 22:13:20", f"{len(ODD)} bytes"):
        assert word in shown
    assert "0 deliveries" in nh("quarantine", "show", "zzz", exits=2).stderr


def test_admit_judges_again_without_the_source(nh, tmp_path, monkeypatch):
    content = staffing("2024Q2").encode()
    with monkeypatch.context() as older:
        older.setattr("nh_pipeline.landing.recognise.candidates", lambda _: [])
        md5 = drop(nh, tmp_path, "PBJ.csv", content)
        assert "0 admitted, 1 still set aside" in nh("quarantine", "admit", exits=3).stdout
    (tmp_path / "PBJ.csv").unlink()
    assert "landed as daily_nurse_staffing 2024Q2" in nh("quarantine", "admit", md5[:8]).stdout
    assert entries(nh) == []
    (manifest,) = (nh.home / "raw").rglob("manifest.json")
    found = json.loads(manifest.read_text())
    assert found["modified_at"] == "2023-11-14T22:13:20Z"
    assert found["overruled"] is None
    assert (manifest.parent / "delivery.csv").read_bytes() == content
    assert not list((nh.home / "quarantine").rglob("*.json"))


def test_only_a_person_admits_what_unpacks_to_too_much(nh, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_BYTES", 100)
    md5 = drop(nh, tmp_path, "PBJ.csv.gz", gzip.compress(staffing("2024Q2").encode()))
    nh("quarantine", "admit", md5, exits=3)
    nh("quarantine", "admit", md5, "--confirm", exits=2)
    nh("quarantine", "admit", "--confirm", "--reason", "all", exits=2)
    nh("quarantine", "admit", md5, "--confirm", "--reason", "genuine")
    (manifest,) = (nh.home / "raw").rglob("manifest.json")
    assert json.loads(manifest.read_text())["overruled"] == "genuine"
    assert entries(nh) == []


def test_nobody_admits_what_cannot_be_read(nh, tmp_path):
    md5 = drop(nh, tmp_path, "odd.csv", ODD)
    nh("quarantine", "admit", md5, "--confirm", "--reason", "please", exits=3)
    assert [e["id"] for e in entries(nh)] == [md5]


def test_a_person_says_the_order_of_the_dates(nh, tmp_path):
    content = claims("10/07/2024")
    md5, odd = drop(nh, tmp_path, "Claims.csv", content), drop(nh, tmp_path, "odd.csv", ODD)
    told = " ".join(nh("quarantine", "show", md5).stdout.split())
    assert "7 October 2024" in told
    assert "10 July 2024" in told
    assert "--dates month-first|day-first" in told
    word = ("--confirm", "--reason", "asked the sender")
    assert "day-first" in nh("quarantine", "admit", md5, "--dates", "dd/mm", *word, exits=2).stderr
    nh("quarantine", "admit", md5, "--dates", "day-first", exits=2)
    nh("quarantine", "admit", "--dates", "day-first", exits=2)
    wrong = " ".join(nh("quarantine", "admit", odd, "--dates", "day-first", *word, exits=2).stderr.split())
    assert "--dates is for files that are in quarantine for the order of their dates; odd.csv is" in wrong
    nh("quarantine", "admit", md5, *word, exits=3)
    assert {e["id"]: e["undecided_dates"] for e in entries(nh)} == {md5: True, odd: False}
    admitted = nh("quarantine", "admit", md5, "--dates", "day-first", *word).stdout
    assert "landed as medicare_claims 2024-07-10" in admitted
    (manifest,) = (nh.home / "raw").rglob("manifest.json")
    found = json.loads(manifest.read_text())
    assert (found["date_order"], found["overruled"]) == ("day-first", "asked the sender")
    assert [e["id"] for e in entries(nh)] == [odd]


def test_what_was_repaired_is_told_when_it_lands_and_in_the_status(nh, tmp_path):
    path = tmp_path / "excel.csv"
    path.write_text(staffing("2024Q2").replace(",", ";"))
    told = "read excel.csv: semicolons between its cells"
    assert told in nh("ingest", path).stdout
    assert told not in nh("ingest", path).stdout
    assert told in nh("status").stdout
