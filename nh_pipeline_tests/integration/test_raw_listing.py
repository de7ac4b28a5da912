"""Raw assets and their source: a folder that is not there yet holds nothing, and any other failure fails the run."""

from __future__ import annotations

import os
from datetime import date

import dagster as dg
import pytest

from nh_pipeline.lake.storage import Storage
from nh_pipeline.landing import RawZone
from nh_pipeline.orchestration.assets import LandingConfig, _land
from nh_pipeline.orchestration.definitions import build_defs
from nh_pipeline.orchestration.partitions import range_tags
from nh_pipeline.settings import Settings
from nh_pipeline.sources import FolderSource, SourceUnavailable
from nh_pipeline.sources.protocol import SourceMissing
from nh_pipeline_tests.support.denied import deny_listing
from nh_pipeline_tests.support.drive_server import Fault
from nh_pipeline_tests.unit.test_landing_recognise import staffing

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

Q1, Q2 = staffing("2024Q1").encode(), staffing("2024Q2").encode()
FIRST = (date(2024, 1, 1), date(2024, 3, 31))
DATASET = "daily_nurse_staffing"


@pytest.fixture
def landed(tmp_path):
    """A lake in which the first quarter has landed."""
    (tmp_path / "q1.csv").write_bytes(Q1)
    source, zone = FolderSource(tmp_path / "q1.csv"), RawZone(Storage(str(tmp_path / "lake")))
    zone.land(source, source.changes().files[0])
    return tmp_path / "lake"


def materialized(settings, days=FIRST):
    """Materializes the raw asset over days; gives whether it is green, what it said, and what landed."""
    defs = build_defs(settings)
    with dg.DagsterInstance.ephemeral() as instance:
        found = defs.resolve_job_def("daily_nurse_staffing_delivery").execute_in_process(
            instance=instance,
            tags=range_tags(*days),
            asset_selection=[dg.AssetKey(["raw", DATASET])],
            raise_on_error=False,
        )
    if found.success:
        (result,) = {e.materialization.metadata["landed_now"].value for e in found.get_asset_materialization_events()}
        return True, result
    (failure,) = [e.step_failure_data for e in found.get_step_failure_events()]
    return False, failure.error.to_string() if failure.error else ""


def drive_settings(drive, server, lake, tmp_path):
    key = drive.credentials(tmp_path / "key.json", server.url)
    return Settings(
        home=str(lake), source=f"gdrive://{drive.root}", drive_credentials=key, drive_endpoint=server.endpoint
    )


@pytest.mark.integration
def test_a_folder_that_is_not_there_yet_holds_nothing(landed, tmp_path):
    settings = Settings(home=str(landed), source=str(tmp_path / "nothing"))
    assert materialized(settings) == (True, "nothing")
    green, told = materialized(settings, (date(2024, 4, 1), date(2024, 6, 30)))
    assert not green
    assert "No delivery of daily_nurse_staffing covers 2024-04-01 to" in told


@pytest.mark.integration
def test_a_folder_that_is_there_is_landed(landed, tmp_path):
    (tmp_path / "drop").mkdir()
    (tmp_path / "drop" / "q2.csv").write_bytes(Q2)
    settings = Settings(home=str(landed), source=str(tmp_path / "drop"))
    assert materialized(settings, (date(2024, 4, 1), date(2024, 6, 30))) == (True, "q2.csv")


@pytest.mark.integration
def test_a_drive_that_takes_the_key_no_more_fails_the_run(landed, tmp_path, drive_server):
    drive = drive_server.drive
    drive.add(Q1, "q1.csv")
    settings = drive_settings(drive, drive_server, landed, tmp_path)
    assert materialized(settings)[0]
    drive.revoked = True
    drive.tokens.clear()
    green, told = materialized(settings)
    assert not green
    assert "DriveError: cannot" in told


@pytest.mark.integration
@pytest.mark.parametrize(
    ("kind", "status", "says"),
    [
        ("get", 404, "SourceUnavailable: no folder"),
        ("list", 403, "DriveError: cannot list the folder"),
        ("media", 404, "DriveError: cannot read 'q1.csv'"),
    ],
)
def test_a_drive_that_cannot_be_listed_fails_the_run(landed, tmp_path, drive_server, kind, status, says):  # noqa: PLR0917
    drive = drive_server.drive
    drive.add(Q1, "q1.csv")
    drive.script(kind, *[Fault(status, "notFound")] * 4)
    green, told = materialized(drive_settings(drive, drive_server, landed, tmp_path))
    assert not green
    assert says in told


@pytest.mark.integration
def test_a_folder_that_may_not_be_listed_fails_the_run(landed, tmp_path, monkeypatch):
    (tmp_path / "drop" / "sub").mkdir(parents=True)
    (tmp_path / "drop" / "q1.csv").write_bytes(Q1)
    deny_listing(monkeypatch, "sub")
    green, told = materialized(Settings(home=str(landed), source=str(tmp_path / "drop")))
    assert not green
    assert "cannot list" in told
    assert "grant read and search permission" in told
    assert "The lake" not in told


def test_only_a_root_that_is_not_there_is_missing(tmp_path, monkeypatch):
    with pytest.raises(SourceMissing, match="no such folder or file"):
        FolderSource(tmp_path / "nothing").changes()
    with pytest.raises(SourceMissing):
        FolderSource(tmp_path / "nothing" / "below").changes()
    (tmp_path / "link").symlink_to(tmp_path / "unmounted")
    for path in ("link", "denied", "sub"):
        (tmp_path / "sub").mkdir(exist_ok=True)
        with monkeypatch.context() as patched:
            if path == "denied":
                patched.setattr(type(tmp_path), "exists", _denied)
            if path == "sub":
                patched.setattr(os, "scandir", _denied)
            with pytest.raises(SourceUnavailable) as error:
                FolderSource(tmp_path / path).changes()
        assert type(error.value) is SourceUnavailable, path


def _denied(path, *_, **__):
    raise PermissionError(13, "Permission denied", str(path))


def test_a_file_that_is_asked_for_must_be_there(tmp_path):
    zone, gone = RawZone(Storage(str(tmp_path / "lake"))), FolderSource(tmp_path / "nothing")
    assert _land(zone, gone, DATASET, FIRST, LandingConfig()) == []
    with pytest.raises(SourceMissing):
        _land(zone, gone, DATASET, FIRST, LandingConfig(file_ids=["a" * 16]))
