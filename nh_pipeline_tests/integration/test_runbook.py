"""Situations of the runbook: what is said is what its page quotes, and what it says to do puts it right."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from nh_pipeline.engines.spark import spark_session
from nh_pipeline.marts.facility_measures import FACILITY_MEASURES as MEASURES
from nh_pipeline.marts.facility_month import FACILITY_MONTH as MONTHS
from nh_pipeline.sample import Correction, Deliveries
from nh_pipeline_tests.crash.test_faults_runs import started
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.local import Nh, damaged
from nh_pipeline_tests.support.runbook import RUNBOOK, not_said

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PLAN = Deliveries(40, ("2024Q2",), releases=1, days=3)
STAFFING = "PBJ_Daily_Nurse_Staffing_Q2_2024.csv"
ELSEWHERE = {
    "The gate refused a build": "test_cli",
    "A build fails again and again": "test_automation",
    "A run was killed, or the machine went down": "test_faults_runs",
    "There is no space left": "test_faults_machine",
}
"""Entries that are tried where their situation is."""


class Site:
    """A lake of one situation's own, and a folder that is delivered from."""

    def __init__(self, home, drop):
        self.nh, self.drop = Nh(home), drop
        self.said = ""

    def __call__(self, *words, exits=0):
        """Runs a command; what is stale is built without Dagster, which takes the longest."""
        command, *paths = words
        if command == "run":
            self("ingest", *paths, exits=exits)
        if command in ("run", "materialize"):
            chain.whole(chain.workspace_at(self.nh.home, spark_session("sail")))
            words = ("materialize",)  # says whether there is anything left
        self.said += self.nh(*words, exits=0 if command == "run" else exits).output

    def fails(self, *words, **environment):
        """A command as a process of its own, which says what is wrong with its surroundings."""
        process = started(self.nh.home, *words, **environment)
        told = process.communicate(timeout=600)[0].decode()
        assert process.returncode == 1, told
        assert "Traceback" not in told
        self.said += told

    def deliver(self, *files, exits=0):
        """Replaces what is in the folder, and hands it over."""
        shutil.rmtree(self.drop, ignore_errors=True)
        self.drop.mkdir()
        for file in files:
            shutil.copy2(file, self.drop)
        self("run", self.drop, exits=exits)
        self("status")

    def follow(self, title, id_="", commands=slice(None)):
        for command in RUNBOOK[title].commands[commands]:
            words = [{"ID": id_, "drop": str(self.drop)}.get(word, word) for word in shlex.split(command)[1:]]
            self(*words)

    def entry(self, name):
        """Id of what does not count."""
        found = json.loads(self.nh("quarantine", "list", "--json").stdout)
        return next(one["id"][:12] for one in found if one["name"] == name)

    @property
    def hours(self):
        sql = "select sum(total_hours) as hours, count(distinct provider_id) as homes from gold.facility_measures"
        return self.nh.rows(sql)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    (release,) = (p for p in PLAN.release(folder, 0) if "ProviderInfo" in p.name)
    return PLAN.staffing(folder, "2024Q2"), release


@pytest.fixture(scope="module")
def built(engine, files, tmp_path_factory):
    """What every situation begins with."""
    home = tmp_path_factory.mktemp("built")
    workspace = chain.workspace_at(home, engine)
    chain.land(workspace, *files)
    chain.whole(workspace)
    return home


@pytest.fixture
def site(built, tmp_path):
    chain.copied(built, tmp_path / "lake")
    return Site(tmp_path / "lake", tmp_path / "drop")


def a_file_is_in_quarantine(site, title, files, folder):
    whole = files[1]
    (folder / "strange.csv").write_text("a,b\n1,2\n")
    (folder / "NH_ProviderInfo_Sep2024.csv").write_bytes(whole.read_bytes()[:1500])
    with zipfile.ZipFile(folder / "PBJ_Q3.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(whole, "a.csv")
    (folder / "PBJ_Q3.zip").write_bytes((folder / "PBJ_Q3.zip").read_bytes()[:-400])
    before = site.hours
    site.deliver(*folder.iterdir(), exits=3)
    shutil.rmtree(site.drop)
    site.drop.mkdir()
    shutil.copy2(PLAN.release(folder / "later", 0)[0], site.drop)
    site.follow(title, site.entry("PBJ_Q3.zip"))
    assert site.hours == before


def a_delivery_is_held(site, title, files, folder):
    few = PLAN.corrected(folder, "2024Q2", Correction(12, 1))
    site.deliver(few)
    assert site.hours[0]["homes"] == 40
    site.follow(title, site.entry(few.name))
    assert site.hours[0]["homes"] == 28


def a_wrong_delivery_counts(site, title, files, folder):
    before, draft = site.hours, PLAN.corrected(folder, "2024Q2", Correction(0, 9))
    site.deliver(draft)
    wrong = site.hours
    assert wrong != before
    site.follow(title, draft.name, slice(2))
    assert site.hours == before
    site.follow(title, hashlib.md5(draft.read_bytes()).hexdigest()[:12], slice(2, None))  # noqa: S324
    assert site.hours == wrong


def every_line_is_refused(site, title, files, folder):
    before = site.hours
    spoiled = damaged(files[0], folder / "damaged")
    site.deliver(spoiled)
    site.follow(title, site.entry(spoiled.name))
    assert site.hours == before
    assert site.nh("quarantine", "list", "--json").stdout.strip() == "[]"


def a_table_is_wrong(site, title, files, folder):
    before = chain.snapshots(site.nh.lake)
    site.follow(title)
    assert chain.snapshots(site.nh.lake) == before


def nothing_new_arrives(site, title, files, folder):
    site.deliver(*files)
    site.follow(title)


def the_lake_was_moved(site, title, files, folder):
    before = site.hours
    site.nh = Nh(folder / "elsewhere")
    shutil.move(folder.parent / "lake", site.nh.home)
    site.fails("status")
    site.follow(title)
    assert site.hours == before


def a_file_is_missing(site, title, files, folder):
    before = site.hours
    missing, damaged = (Path(site.nh.lake.readable(site.nh.lake.snapshot(t).paths[0])) for t in (MONTHS, MEASURES))
    missing.unlink()
    with damaged.open("r+b") as file:
        file.seek(-60, os.SEEK_END)  # in the footer
        file.write(b"\0" * 50)
    site("verify", exits=1)
    assert not_said(["wrong gold.facility_measures: expected rows as in the manifests, found"], site.said) == []
    site("rebuild", MEASURES.name)
    site.follow(title)
    assert site.hours == before
    assert site.nh.rows("select count(*) as n from gold.facility_month where days > 0") == [{"n": 40}]


def the_catalog_does_not_answer(site, title, files, folder):
    site.fails("materialize", NH_CATALOG_URL="postgresql://nh:secret@127.0.0.1:1/nh")
    assert "secret" not in site.said
    with closing(sqlite3.connect(site.nh.home / "catalog.db", isolation_level=None)) as db:
        db.execute("begin immediate")
        site.fails("rebuild", "gold.facility_month", NH_CATALOG_URL=f"sqlite:///{site.nh.home}/catalog.db?timeout=1")
    site.follow(title)


def the_engine_does_not_answer(site, title, files, folder):
    site.fails("rebuild", "gold.facility_measures", NH_ENGINE="sc://127.0.0.1:1")
    site.follow(title)


def google_drive_does_not_answer(site, title, files, folder):
    site("drive", "check", "--source", "gdrive://folder", exits=1)


TRIED = {
    "A file is in quarantine": a_file_is_in_quarantine,
    "A delivery is held": a_delivery_is_held,
    "A wrong delivery counts": a_wrong_delivery_counts,
    "Every line of a file is refused": every_line_is_refused,
    "A table is wrong for some days": a_table_is_wrong,
    "Nothing new arrives": nothing_new_arrives,
    "The lake was moved": the_lake_was_moved,
    "A file of the lake is missing or damaged": a_file_is_missing,
    "The catalog does not answer": the_catalog_does_not_answer,
    "The engine does not answer": the_engine_does_not_answer,
    "Google Drive does not answer": google_drive_does_not_answer,
}


@pytest.mark.parametrize("title", TRIED)
def test_the_situation_is_as_told_and_put_right(title, site, files, tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    TRIED[title](site, title, files, folder)
    assert not_said(RUNBOOK[title].seen, site.said) == [], site.said


def test_every_entry_is_tried():
    assert {*TRIED, *ELSEWHERE} == set(RUNBOOK)
    assert all(entry.seen and entry.commands for entry in RUNBOOK.values())
