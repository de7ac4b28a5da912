"""The drive sensor on a Google Drive folder: each event ends in the right runs, exactly once, and shows no secret."""

from __future__ import annotations

import logging
import sys
import zipfile
from collections import Counter
from datetime import timedelta
from typing import Any

import dagster as dg
import pytest
from dagster._utils.error import serializable_error_info_from_exc_info

from nh_pipeline import tables
from nh_pipeline.landing.source_state import SourceState
from nh_pipeline.landing.zone import RawZone
from nh_pipeline.orchestration.attempts import AT_ONCE
from nh_pipeline.orchestration.definitions import build_defs
from nh_pipeline.sample import Deliveries
from nh_pipeline.settings import Settings
from nh_pipeline.sources import SourceUnavailable
from nh_pipeline_tests.support.drive_server import SECRET, SHEET, SHORTCUT, Fault
from nh_pipeline_tests.support.local import Nh, serving
from nh_pipeline_tests.support.memory_source import md5_of
from nh_pipeline_tests.support.stack import DEFINITIONS as QUICK
from nh_pipeline_tests.support.stale import stale_quarters
from nh_pipeline_tests.unit.test_landing_archive import zipped

pytestmark = [
    pytest.mark.integration,
    pytest.mark.at_length,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # Dagster's event log readers
]

PLAN = Deliveries(5, ("2024Q1",), releases=1, days=2)
ODD = b"a,b\n1,2\n"


class Installation:
    """A lake whose sensors are ticked by hand, and whose requested runs are run at once, as the daemon would."""

    def __init__(self, server, root) -> None:
        self.drive, self.nh = server.drive, Nh(root / "lake")
        self.settings = Settings(
            home=str(self.nh.home),
            source=f"gdrive://{self.drive.root}",
            drive_credentials=self.drive.credentials(root / "key.json", server.url),
            drive_endpoint=server.endpoint,
        )
        self.instance = dg.DagsterInstance.ephemeral()
        self.cursors: dict[str, str | None] = {}
        self.defs = build_defs(self.settings)

    def tick(self, name: str = "drive_sensor") -> list[dg.RunRequest]:
        """One tick of a sensor; what it requests."""
        repository = self.defs.get_repository_def()
        with dg.build_sensor_context(
            self.instance,
            cursor=self.cursors.get(name),
            repository_def=repository,
            resources=dict(self.defs.resources or {}),
        ) as context:
            found = repository.get_sensor_def(name).evaluate_tick(context)
        self.cursors[name] = found.cursor
        return list(found.run_requests or [])

    def runs(self, name: str = "drive_sensor") -> list[str]:
        """One tick, and its runs: ``<job> <file> <attempt> <outcome>``. A run key is run once for ever."""
        return [told for request in self.tick(name) if (told := self._run(request))]

    def _run(self, request: dg.RunRequest) -> str | None:
        if self.instance.get_runs(dg.RunsFilter(tags={"dagster/run_key": request.run_key})):
            return None
        job = self.defs.resolve_job_def(request.job_name or "daily_nurse_staffing_delivery")
        result = job.execute_in_process(
            instance=self.instance,
            run_config=request.run_config,
            tags={**request.tags, "dagster/run_key": request.run_key},
            asset_selection=request.asset_selection,
            raise_on_error=False,
        )
        tags = request.tags
        what = tags.get("nh/file", "again")
        return f"{job.name} {what} {tags['nh/attempt']} {'ok' if result.success else 'failed'}"

    def rows(self) -> int:
        return self.nh.rows("select count(*) as n from silver.fct_staffing_levels")[0]["n"]

    def catches_up(self) -> list[str]:
        """Runs until two ticks find nothing."""
        found, quiet = list[str](), 0
        while quiet < 2:
            told = self.runs("catch_up")
            quiet = 0 if told else quiet + 1
            found += told
        return found

    @property
    def state(self) -> SourceState:
        return SourceState(self.nh.lake.storage, "google-drive")

    def events(self) -> str:
        """All that Dagster keeps of all runs."""
        told = [repr(run) for run in self.instance.get_runs()]
        for run in self.instance.get_runs():
            told += [dg.serialize_value(entry) for entry in self.instance.all_logs(run.run_id)]
        return "\n".join(told)


@pytest.fixture
def installation(drive_server, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "QUALITIES", ())  # they would follow all others
    made = Installation(drive_server, tmp_path)
    with made.instance:
        yield made


@pytest.fixture
def drive(drive_server):
    return drive_server.drive


@pytest.fixture
def quarter(tmp_path) -> list[bytes]:
    """A quarter of 10 rows, and corrections of it with 9 and with 8 rows, of as many facilities."""
    content = PLAN.staffing(tmp_path, "2024Q1").read_bytes()
    lines = content.splitlines(keepends=True)
    assert len(lines) == 11
    return [content, b"".join(lines[:-1]), b"".join([*lines[:-3], lines[-2]])]


def test_every_event_ends_in_the_right_runs_once(installation, drive, quarter, tmp_path):
    elsewhere = drive.outside(visible=True)
    (averages,) = (p for p in PLAN.release(tmp_path, 0) if "StateUSAverages" in p.name)
    first = drive.add(quarter[0], "PBJ.csv")
    odd = drive.add(ODD, "odd.csv")
    assert installation.runs() == ["daily_nurse_staffing_delivery PBJ.csv 1 ok", "land_only odd.csv 1 ok"]  # first load
    assert installation.state.cursor is None  # while the runs were only requested
    assert installation.runs() == []
    assert installation.state.cursor is not None
    assert installation.rows() == 10

    drive.touch(first)
    drive.rename(first, "renamed.csv")
    drive.touch(odd)
    assert installation.runs() == []
    moved = drive.add(averages.read_bytes(), "averages.csv", parent=elsewhere)
    assert installation.runs() == []
    drive.move(moved, drive.root)
    assert installation.runs() == ["state_us_averages_delivery averages.csv 1 ok"]  # moved in
    drive.move(moved, elsewhere)
    drive.remove(odd)
    assert installation.runs() == []  # moved out, removed
    sheet = drive.add(ODD + b"3,4\n", "sheet", kind=SHEET)
    drive.add(name="link", kind=SHORTCUT)
    assert installation.runs() == ["land_only sheet 1 ok"]
    drive.touch(sheet)
    assert installation.runs() == []

    drive.change(first, quarter[1])  # the same file, a new md5
    assert installation.runs() == ["daily_nurse_staffing_delivery renamed.csv 1 ok"]
    assert installation.rows() == 9
    second = drive.add(quarter[2], "renamed.csv")  # two files of one name
    assert installation.runs() == ["daily_nurse_staffing_delivery renamed.csv 1 ok"]
    assert installation.rows() == 8
    assert installation.catches_up() == ["dimensions again 1 ok"]  # the calendar, which no file asks for
    drive.trash(second)
    assert installation.runs() == []
    assert installation.catches_up() == ["daily_nurse_staffing_delivery again 1 ok"]
    assert installation.rows() == 9
    assert installation.catches_up() == []
    drive.trash(second, trashed=False)
    assert installation.runs() == []  # its run is known
    assert installation.catches_up() == ["daily_nurse_staffing_delivery again 1 ok"]
    assert installation.rows() == 8
    assert stale_quarters(installation.nh.lake, RawZone(installation.nh.lake.storage)) == []

    assert installation.runs() == installation.catches_up() == []
    kept = {path.split("/")[-2] for path in installation.nh.lake.storage.files("raw", suffix="manifest.json")}
    assert kept == {
        *(f"{first}-{md5_of(content)}" for content in quarter[:2]),
        f"{second}-{md5_of(quarter[2])}",
        f"{moved}-{md5_of(averages.read_bytes())}",
    }
    assert len(list(installation.nh.lake.storage.files("quarantine", suffix="reason.json"))) == 2


def test_an_archive_lands_by_itself_and_what_is_in_it_is_built(installation, drive, quarter, tmp_path):
    (averages,) = (p for p in PLAN.release(tmp_path, 0) if "StateUSAverages" in p.name)
    filler = ("a.pdf", bytes(range(256)) * 1000)
    members = [filler, ("PBJ.csv", quarter[0]), ("averages.csv", averages.read_bytes())]
    monthly = drive.add(zipped(*members, method=zipfile.ZIP_STORED), "monthly.zip")
    assert installation.runs() == ["land_only monthly.zip 1 ok"]
    assert installation.runs() == []
    assert installation.state.cursor is not None
    assert installation.catches_up()
    assert installation.rows() == 10
    drive.touch(monthly)
    assert installation.runs() == []
    drive.change(monthly, zipped(filler, ("PBJ.csv", quarter[1]), ("averages.csv", averages.read_bytes())))
    assert installation.runs() == ["land_only monthly.zip 1 ok"]
    assert installation.catches_up()
    assert installation.rows() == 9
    drive.remove(monthly)
    assert installation.runs() == []
    assert all(d.withdrawn for d in RawZone(installation.nh.lake.storage).deliveries())


def test_a_csv_far_behind_in_its_archive_gets_its_own_run(installation, drive, quarter):
    behind = zipped(("a.pdf", bytes(range(256)) * 1000), ("PBJ.csv", quarter[0]), method=zipfile.ZIP_STORED)
    drive.add(behind, "PBJ.zip")
    drive.add(b"x", "~$NH.xlsx")
    drive.add(b"x", "PBJ.csv.crdownload")
    assert installation.runs() == ["daily_nurse_staffing_delivery PBJ.zip 1 ok"]
    assert installation.runs() == []
    assert [u.name for u in installation.state.unusable] == ["PBJ.csv.crdownload"]


def test_a_failed_version_is_tried_again_and_the_token_waits(installation, drive):
    drive.add(ODD, "first.csv")
    assert installation.runs() == ["land_only first.csv 1 ok"]
    assert installation.runs() == []
    before = installation.state.cursor
    file_id = drive.add(ODD * 2, "late.csv")
    drive.script("media", None, Fault(404, "notFound"))  # the sensor's peek, then the run's download
    assert installation.runs() == ["land_only late.csv 1 failed"]
    assert installation.state.cursor == before
    drive.script("media", None, Fault(403, "cannotDownloadFile"))
    assert installation.runs() == ["land_only late.csv 2 failed"]
    assert installation.state.cursor == before
    assert installation.runs() == ["land_only late.csv 3 ok"]
    assert installation.runs() == []
    assert installation.state.cursor != before
    drive.change(file_id, ODD * 3)  # a new version begins anew
    drive.show(file_id, md5Checksum="0" * 32)
    for attempt in range(1, AT_ONCE + 1):
        assert installation.runs() == [f"land_only late.csv {attempt} failed"]
    assert installation.runs() == []
    assert [f.name for f in installation.state.pending()] == ["late.csv"]


def test_an_outage_that_outlasts_the_attempts_at_once(installation, drive, monkeypatch):
    drive.add(ODD, "late.csv")
    for attempt in range(1, AT_ONCE + 1):
        drive.script("media", None, Fault(403, "cannotDownloadFile"))  # the sensor's peek, then the run's download
        assert installation.runs() == [f"land_only late.csv {attempt} failed"]
    assert installation.runs() == []
    monkeypatch.setattr("nh_pipeline.orchestration.attempts.FIRST_PAUSE", timedelta(0))  # it is over
    assert installation.runs() == [f"land_only late.csv {AT_ONCE + 1} ok"]
    assert installation.runs() == []


def test_a_file_that_was_away_while_its_run_ran_is_run_again(installation, drive):
    file_id = drive.add(ODD, "a.csv")
    (request,) = installation.tick()
    drive.trash(file_id)
    assert installation._run(request) == "land_only a.csv 1 ok"  # there was nothing to land
    assert installation.runs() == []
    drive.trash(file_id, trashed=False)
    assert installation.runs() == []  # the same key as before
    assert installation.runs() == ["land_only a.csv 2 ok"]
    assert installation.runs() == []
    assert installation.state.pending() == []


def test_an_outage_is_no_empty_folder(installation, drive):
    drive.add(ODD, "a.csv")
    installation.runs()
    installation.runs()
    stored = installation.nh.lake.storage.read(installation.state.path)
    drive.script("changes", *[Fault(403, "insufficientPermissions")])
    with pytest.raises(SourceUnavailable, match="insufficientPermissions"):
        installation.tick()
    assert installation.nh.lake.storage.read(installation.state.path) == stored
    assert installation.runs() == []


def test_the_nightly_run_lands_what_was_missed_and_the_sensor_runs_it(installation, drive, quarter):
    known = drive.add(ODD, "a.csv")
    installation.runs()
    installation.runs()
    drive.add(quarter[0], "PBJ.csv")
    drive.log[-1] = known  # as if Drive had never told of it
    assert installation.runs() == []
    schedule = build_defs(installation.settings).get_repository_def().get_schedule_def("nightly_reconciliation")
    job = build_defs(installation.settings).resolve_job_def(schedule.job_name)
    assert job.execute_in_process(instance=installation.instance).success
    assert installation.state.pending() == []
    assert installation.runs() == ["daily_nurse_staffing_delivery PBJ.csv 1 ok"]
    assert installation.rows() == 10
    assert installation.runs() == []


def test_no_secret_in_events_logs_and_errors(installation, drive, caplog):
    caplog.set_level(logging.DEBUG)
    drive.add(ODD, "a.csv")
    drive.script("media", None, Fault(cut=3), Fault(404, "notFound"))
    assert installation.runs() == ["land_only a.csv 1 failed"]
    (request,) = installation.tick()
    drive.revoked = True
    drive.tokens.clear()
    assert installation._run(request) == "land_only a.csv 2 failed"
    with pytest.raises(SourceUnavailable, match="invalid_grant"):
        installation.tick()
    try:
        installation.tick()
    except SourceUnavailable:
        told = dg.serialize_value(serializable_error_info_from_exc_info(sys.exc_info()))
    events = installation.events()
    assert "invalid_grant" in events
    assert "invalid_grant" in told
    defs = build_defs(installation.settings)
    shown = f"{defs.resources} {installation.settings} {defs.get_repository_def().get_top_level_resources()}"
    assert SECRET not in events + told + shown + caplog.text
    assert "iamcredentials" not in caplog.text


def test_dagster_is_given_the_name_of_the_variable(installation, monkeypatch):
    where = installation.settings.drive_credentials
    assert where is not None
    monkeypatch.setenv("NH_DRIVE_CREDENTIALS", where.get_secret_value())
    shown = repr((build_defs(installation.settings).resources or {})["source"])
    assert "NH_DRIVE_CREDENTIALS" in shown
    assert where.get_secret_value() not in shown + repr(installation.settings)


def _ticks(nh: Nh) -> list[Any]:
    """Completed ticks of the drive sensor, the last one first."""
    with nh.instance as instance:
        states = [s for s in instance.all_instigator_state() if s.instigator_name == "drive_sensor"]
        return [
            tick
            for state in states
            for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id)
            if tick.is_completed
        ]


def test_the_daemon_misses_none_and_doubles_none_over_a_restart(drive_server, drive, tmp_path, monkeypatch):
    monkeypatch.setenv("NH_SOURCE", f"gdrive://{drive.root}")
    monkeypatch.setenv("NH_DRIVE_ENDPOINT", drive_server.endpoint)
    monkeypatch.setenv("NH_DRIVE_CREDENTIALS", drive.credentials(tmp_path / "key.json", drive_server.url))
    nh = Nh(tmp_path / "lake")
    nh.home.mkdir()

    def landed() -> set[str]:
        return {document.name for document in RawZone(nh.lake.storage).quarantined()}

    drive.add(ODD, "first.csv")
    with serving(nh.home, QUICK) as server:
        server.wait(lambda: landed() == {"first.csv"}, "the first file is landed")
        server.wait(lambda: all(run.is_finished for run in nh.runs()), "its run is over")
    drive.add(ODD * 2, "second.csv")  # while nobody looks
    with serving(nh.home, QUICK) as server:
        server.wait(lambda: landed() == {"first.csv", "second.csv"}, "the second file is landed")
        ticks = len(_ticks(nh))
        server.wait(lambda: len(_ticks(nh)) > ticks, "the sensor looks once more")
    runs = [run for run in nh.runs() if run.tags.get("dagster/sensor_name") == "drive_sensor"]  # not the calendar's
    assert Counter(run.tags["nh/file"] for run in runs) == {"first.csv": 1, "second.csv": 1}
    assert {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}
    asked = [tick for tick in _ticks(nh) if tick.run_ids]
    assert len(asked) == 2
    assert SourceState(nh.lake.storage, "google-drive").pending() == []
    files = [path for path in nh.home.rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" for path in files)
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []
