"""Alerts through their sensors, on a real instance and lake: each trouble is told once, and nothing protected."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.scheduler.instigation import TickStatus
from dagster._utils.error import serializable_error_info_from_exc_info
from tenacity import wait_none

from nh_pipeline.alerts import receivers
from nh_pipeline.alerts.receivers import NotDeliveredError
from nh_pipeline.orchestration.concerns import FAILED_TICKS
from nh_pipeline.orchestration.definitions import build_defs
from nh_pipeline.orchestration.instance import open_instance
from nh_pipeline.orchestration.jobs import FRESHNESS
from nh_pipeline.orchestration.partitions import range_tags
from nh_pipeline.sample import Deliveries
from nh_pipeline.settings import Settings
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.local import Nh, damaged
from nh_pipeline_tests.support.receivers import PASSWORD, PATH, USER, certificate, mail_server, webhook
from nh_pipeline_tests.support.ticks import ticked

pytestmark = pytest.mark.integration

PLAN = Deliveries(5, ("2024Q1",), releases=1, days=2)
NAME, NUMBER = "Zephyrleak", "000-00-4711"
CHECKED = "clinical_bronze/resource"
UI = "https://dagster.example.org"


class Installation:
    """A lake whose alert sensor is ticked by hand."""

    def __init__(self, home, instance, sensor, **alerts) -> None:
        self.settings = Settings(home=str(home), ui_url=UI, **{f"alerts_{k}": v for k, v in alerts.items()})
        self.defs, self.instance, self.sensor = build_defs(self.settings), instance, sensor
        self.repository, self.cursor = self.defs.get_repository_def(), None

    def tick(self) -> None:
        with dg.build_sensor_context(
            self.instance,
            cursor=self.cursor,
            repository_def=self.repository,
            resources=dict(self.defs.resources or {}),
        ) as context:
            self.cursor = self.repository.get_sensor_def(self.sensor).evaluate_tick(context).cursor

    def run(self, job, **more) -> bool:
        found = self.defs.resolve_job_def(job)
        return found.execute_in_process(instance=self.instance, raise_on_error=False, **more).success

    def checked(self, name, *, passed, found=0, severity=dg.AssetCheckSeverity.ERROR) -> None:
        """An evaluation that shows some rows, as those of the gate do."""
        sample = dg.MetadataValue.table([dg.TableRecord({"name": NAME, "ssn": NUMBER})])
        self.instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=dg.AssetKey(CHECKED.split("/")),
                check_name=name,
                passed=passed,
                severity=severity,
                description=f"of {NAME}",
                metadata={"failed_rows": found, "sample": sample, "what_to_do": f"ask {NAME}"},
            )
        )


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(receivers, "wait_exponential", lambda **_: wait_none())


@pytest.fixture(scope="module")
def new_instance(tmp_path_factory):
    """An instance's folder: to make one takes longer than to copy it."""
    home = tmp_path_factory.mktemp("new")
    with open_instance(Settings(home=str(home))) as made:
        made.get_runs(limit=1)
    return home / "dagster"


@pytest.fixture
def instance(tmp_path, new_instance):
    shutil.copytree(new_instance, tmp_path / "lake" / "dagster")
    with open_instance(Settings(home=str(tmp_path / "lake"))) as made:
        yield made


@pytest.fixture
def server():
    with webhook() as made:
        yield made


@pytest.fixture
def nh(tmp_path, instance, server):
    return Installation(tmp_path / "lake", instance, "alerts_by_webhook", webhook=server.url)


def test_a_failed_run_is_told_once_and_so_is_that_it_is_well_again(nh, instance, server):
    nh.tick()
    assert server.messages == []
    for _ in range(2):  # nothing has landed; it is tried again, in vain
        assert not nh.run("daily_nurse_staffing_delivery", tags=range_tags(date(2024, 1, 1), date(2024, 1, 3)))
    nh.tick()
    last = instance.get_runs()[0].run_id
    subject, line = server.taken().splitlines()
    assert subject == f"nh, {nh.settings.home}: 1 new"
    run = "run daily_nurse_staffing_delivery 2024-01-01 to 2024-01-03"
    assert line.startswith(f"- {run}: raw/daily_nurse_staffing: Failure, since ")
    assert line.endswith(f"nh status; {UI}/runs/{last}")
    raw, *others = sorted(
        {
            e.get_dagster_event().asset_materialization_planned_data.asset_key
            for e in instance.all_logs(last, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED)
        },
        key=lambda key: key.path[0] != "raw",
    )
    assert len(others) > 2
    for key in (raw, raw, *others):
        nh.tick()
        assert server.messages == []  # until all that the run left out is there
        instance.report_runless_asset_event(dg.AssetMaterialization(key, partition="2024-01-01"))
    nh.tick()
    assert server.taken().splitlines() == [f"nh, {nh.settings.home}: 1 well again", f"- well again: {run}"]
    nh.tick()
    assert server.messages == []


def test_a_failed_job_without_assets_is_well_again_when_it_succeeds(nh, server):
    def land(*files):
        return nh.run("land_only", run_config={"ops": {"land": {"config": {"file_ids": [*files]}}}})

    assert not land("gone")
    nh.tick()
    assert "run land_only: land: SourceMissing, since" in server.taken()
    (Path(nh.settings.home) / "drop").mkdir()
    assert land()
    nh.tick()
    assert server.taken().endswith("- well again: run land_only")


def test_a_failed_check_is_told_once_until_it_changes(nh, server):
    nh.checked("grain", passed=False, found=3)
    nh.checked("contents_known", passed=False, found=9, severity=dg.AssetCheckSeverity.WARN)  # told if one asks for it
    nh.tick()
    (line,) = server.taken().splitlines()[1:]
    assert line.startswith(f"- check {CHECKED} grain: 3 found, since ")
    assert line.endswith(f"{UI}/assets/{CHECKED}?view=checks")
    nh.checked("grain", passed=False, found=3)
    nh.tick()
    assert server.messages == []
    nh.checked("grain", passed=False, found=4)
    nh.tick()
    assert "grain: 4 found" in server.taken()
    nh.checked("grain", passed=True)
    nh.tick()
    assert server.taken().endswith(f"- well again: check {CHECKED} grain")
    more = Installation(Path(nh.settings.home), nh.instance, nh.sensor, webhook=server.url, warnings=True)
    more.tick()
    assert "contents_known: 9 found" in (told := server.taken())
    assert NAME not in told
    assert NUMBER not in told


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Dagster's event log readers
def test_deliveries_set_aside_and_late_ones_are_told_without_what_they_hold(nh, server, tmp_path, engine):
    drop = tmp_path / "files"
    drop.mkdir()
    bad = damaged(PLAN.staffing(tmp_path / "whole", "2024Q1"), drop)
    bad = bad.rename(drop / f"{NAME} {NUMBER}.csv")
    odd = drop / f"about {NAME}.csv"
    odd.write_text(f"name,ssn\n{NAME},{NUMBER}\n")
    workspace = chain.workspace_at(nh.settings.home, engine)
    chain.land(workspace, bad, odd)
    nh.tick()
    assert "in quarantine, came from folder" in server.taken()  # of the other one, nothing is known yet
    chain.parse(workspace, "daily_nurse_staffing")
    nh.tick()
    told = server.taken()
    (delivery,) = workspace.zone.deliveries()
    short = delivery.delivery_id[:12]
    assert f"- delivery of daily_nurse_staffing, 2024Q1, {short}: refused, 10 of its 10 lines refused, since" in told
    assert f"nh quarantine show {short}" in told
    chain.land(workspace, *PLAN.release(tmp_path / "release", 0))
    chain.parse(workspace, "providers")
    assert nh.run(FRESHNESS)
    nh.tick()
    late = [line for line in server.taken().splitlines() if line.startswith("- check silver/dim_providers")]
    assert "newest_is_fresh: 1 found (the newest one covers 2024-07-01), since" in late[0]
    nh.tick()
    assert server.messages == []
    assert not [word for word in (NAME, NUMBER) if word in nh.cursor]


def test_a_sensor_that_fails_again_and_again_is_told(nh, instance, server):
    began = 1_800_000_000
    for n in range(FAILED_TICKS):
        nh.tick()
        assert server.messages == []
        ticked(instance, "drive_sensor", TickStatus.FAILURE, began + n, f"cannot list {NAME}")
    ticked(instance, "drive_sensor", TickStatus.STARTED, began + FAILED_TICKS)
    nh.tick()
    assert "- sensor drive_sensor: its ticks fail (SourceUnavailable), since 2027-01-15" in server.taken()
    ticked(instance, "drive_sensor", TickStatus.SKIPPED, began + FAILED_TICKS + 1)
    nh.tick()
    assert server.taken().endswith("- well again: sensor drive_sensor")


def test_what_happens_while_nobody_can_be_told_is_told_later_once(nh, server):
    nh.checked("grain", passed=False, found=3)
    server.status = 503
    for _ in range(3):
        with pytest.raises(NotDeliveredError, match=r"webhook did not take an alert \(HTTPError 503\)") as caught:
            nh.tick()
        kept = serializable_error_info_from_exc_info((caught.type, caught.value, caught.tb))  # by Dagster, of the tick
        assert PATH not in str(kept)
        nh.checked("schema", passed=False, found=1)
    server.status = 200
    nh.tick()
    subject, *lines = server.taken().splitlines()
    assert subject.endswith(": 2 new")
    assert len(lines) == 2
    nh.tick()
    assert server.messages == []


def test_a_mailbox_has_a_sensor_of_its_own(tmp_path, instance, monkeypatch):
    path = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with mail_server(path) as server, webhook() as other:
        of_mail = {"mail_to": "a@example.org", "mail_from": "nh@example.org", "smtp_host": "127.0.0.1"}
        signed_in = {"smtp_port": server.port, "smtp_user": USER, "smtp_password": PASSWORD}
        both = {**of_mail, **signed_in, "webhook": other.url}
        mail, posts = (
            Installation(tmp_path / "lake", instance, f"alerts_by_{by}", **both) for by in ("mail", "webhook")
        )
        mail.checked("grain", passed=False, found=3)
        other.status = 500  # which keeps nothing from the mailbox
        with pytest.raises(NotDeliveredError):
            posts.tick()
        mail.tick()
        assert f"- check {CHECKED} grain: 3 found" in server.taken()
        mail.tick()
        assert server.messages == []


def test_the_command(tmp_path, monkeypatch):
    nh = Nh(tmp_path / "lake")
    assert "nothing that a person must know" in nh("alerts", "show").stdout
    assert "nobody gets alerts" in nh("alerts", "test", exits=2).stderr
    with webhook() as server:
        monkeypatch.setenv("NH_ALERTS_WEBHOOK", server.url)
        assert nh("alerts", "test").stdout == "the webhook took a test message\n"
        assert "Alerts arrive here" in server.taken()
        server.status = 404
        assert "HTTPError 404" in (told := nh("alerts", "test", exits=1).stderr)
        assert PATH not in told
