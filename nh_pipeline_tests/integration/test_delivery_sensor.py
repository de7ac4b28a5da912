"""The drive sensor: which files of a folder become which runs, decided without a daemon."""

from __future__ import annotations

import os
import time
import zipfile
from datetime import datetime, timedelta, timezone

import dagster as dg
import pytest

from nh_pipeline.lake.lake import Lake
from nh_pipeline.landing.zone import RawZone
from nh_pipeline.orchestration.attempts import AT_ONCE, Tried
from nh_pipeline.orchestration.delivery_sensor import SensorState, plan_requests, run_key
from nh_pipeline.orchestration.partitions import RANGE_END, RANGE_START
from nh_pipeline.sample import Deliveries
from nh_pipeline.settings import Settings
from nh_pipeline.sources import FolderSource, SourceUnavailable
from nh_pipeline_tests.support.ticks import tick
from nh_pipeline_tests.unit.test_landing_archive import zipped

PLAN = Deliveries(5, ("2024Q1",), releases=1, days=2)
NOON = datetime(2024, 7, 1, 12, tzinfo=timezone.utc)


def never(_: str) -> None:
    return None


def just(keys=None, ago=timedelta(0)):
    """The runs of keys, or all, have just failed, or some time ago."""
    return lambda key: datetime.now(tz=timezone.utc) - ago if keys is None or key in keys else None


class Drop:
    """A drop folder with the sensor's memory and the lake's raw zone."""

    def __init__(self, root):
        self.folder = root / "drop"
        self.folder.mkdir()
        self.zone = RawZone(Lake(str(root / "lake")).storage)
        self.cursor: str | None = None
        self.said: list[str] = []

    def tick(self, source=None, *, failed=never, **more) -> list[dg.RunRequest]:
        watch = SensorState.load(self.cursor)
        source = source or FolderSource(self.folder)
        requests = plan_requests(
            source, watch, failed=failed, deliveries=self.zone.deliveries, say=self.said.append, **more
        )
        self.cursor = watch.dump()
        return requests

    def land(self) -> None:
        source = FolderSource(self.folder)
        for file in source.changes().files:
            self.zone.land(source, file)

    def names(self, requests) -> list[str]:
        return [r.tags["nh/file"] for r in requests]


@pytest.fixture
def drop(tmp_path):
    return Drop(tmp_path)


def written(path, content, *, seconds_ago=60):
    path.write_bytes(content)
    when = time.time() - seconds_ago
    os.utime(path, (when, when))


def file_ids(request: dg.RunRequest) -> list[str]:
    (op,) = request.run_config["ops"].values()
    return op["config"]["file_ids"]


def test_a_quarter_is_one_run_over_its_days(drop):
    PLAN.staffing(drop.folder, "2024Q1")
    (file,) = FolderSource(drop.folder).changes().files
    (request,) = drop.tick()
    assert request.job_name == "daily_nurse_staffing_delivery"
    assert (request.tags[RANGE_START], request.tags[RANGE_END]) == ("2024-01-01", "2024-03-31")
    assert request.run_key == run_key(file.file_id, file.version, 1)
    assert request.run_config == {"ops": {"raw__daily_nurse_staffing": {"config": {"file_ids": [file.file_id]}}}}
    assert request.tags["nh/file"] == "PBJ_Daily_Nurse_Staffing_Q1_2024.csv"


def test_a_release_is_one_run_of_its_month(drop):
    PLAN.release(drop.folder, 0)
    requests = {r.tags["nh/file"]: r for r in drop.tick()}
    jobs = {name: r.job_name for name, r in requests.items()}
    assert jobs == {
        "NH_ProviderInfo_Jul2024.csv": "providers_delivery",
        "NH_QualityMsr_Claims_Jul2024.csv": "medicare_claims_delivery",
        "NH_DataCollectionIntervals_Jul2024.csv": "data_collection_intervals_delivery",
        "NH_Penalties_Jul2024.csv": "penalties_delivery",
        "NH_StateUSAverages_Jul2024.csv": "state_us_averages_delivery",
    }
    release = requests["NH_ProviderInfo_Jul2024.csv"]
    assert (release.tags[RANGE_START], release.tags[RANGE_END]) == ("2024-07-01", "2024-07-01")


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"", b"\x00\x01", b"PK\x03\x04 cut off"])
def test_what_nobody_recognises_is_landed_to_be_put_into_quarantine(drop, content):
    written(drop.folder / "odd.csv", content)
    (request,) = drop.tick()
    assert request.job_name == "land_only"
    assert drop.tick() == []


def test_a_file_of_one_line_without_a_line_end_is_recognised(drop):
    path = PLAN.staffing(drop.folder, "2024Q1")
    written(path, b"\n".join(path.read_bytes().split(b"\n")[:2]).rstrip())
    (request,) = drop.tick()
    assert request.job_name == "daily_nurse_staffing_delivery"


def test_nothing_new_nothing_to_do(drop):
    assert drop.tick() == []
    PLAN.staffing(drop.folder, "2024Q1")
    assert len(drop.tick()) == 1
    assert drop.tick() == []
    assert drop.tick() == []


def test_a_changed_content_is_a_new_run(drop):
    path = PLAN.staffing(drop.folder, "2024Q1")
    (first,) = drop.tick()
    drop.land()
    written(path, path.read_bytes() + path.read_bytes().split(b"\n")[1] + b"\n")
    (second,) = drop.tick()
    assert second.run_key != first.run_key
    assert file_ids(second) == file_ids(first)
    assert second.tags["nh/attempt"] == "1"


def test_a_changed_content_of_the_same_size_is_a_new_run(drop):
    path = PLAN.staffing(drop.folder, "2024Q1")
    drop.tick()
    drop.land()
    text = path.read_bytes()
    path.write_bytes(text[:-3] + bytes([text[-3] ^ 1]) + text[-2:])
    os.utime(path, (1, 1))
    assert len(drop.tick()) == 1


def test_touching_a_file_starts_nothing(drop):
    path = PLAN.staffing(drop.folder, "2024Q1")
    (first,) = drop.tick()
    drop.land()
    for when in (1_800_000_000, 1_900_000_000):
        os.utime(path, (when, when))
        assert drop.tick() == []
    # Its run is remembered: should it fail after all, the next attempt is made.
    (second,) = drop.tick(failed=just({first.run_key}))
    assert second.tags["nh/attempt"] == "2"


def test_touching_a_file_whose_run_failed_is_a_new_beginning(drop):
    path = PLAN.staffing(drop.folder, "2024Q1")
    drop.tick()
    drop.land()
    for _ in range(AT_ONCE):
        drop.tick(failed=just())
    assert drop.tick(failed=just()) == []
    os.utime(path, (1_800_000_000, 1_800_000_000))
    (request,) = drop.tick(failed=just())
    assert request.tags["nh/attempt"] == "1"


def test_a_failed_run_is_tried_again_at_once_and_then_ever_more_rarely(drop):
    PLAN.staffing(drop.folder, "2024Q1")
    (first,) = drop.tick()
    keys = [first.run_key]
    for attempt in range(2, AT_ONCE + 1):
        assert drop.tick() == []  # under way
        (request,) = drop.tick(failed=just({keys[-1]}))
        assert request.tags["nh/attempt"] == str(attempt)
        keys.append(request.run_key)
    for pause in (10, 20, 40, 80):  # a disk that is full for an hour, with nobody there
        assert drop.tick(failed=just(ago=timedelta(minutes=pause - 1))) == []
        (request,) = drop.tick(failed=just(ago=timedelta(minutes=pause)))
        keys.append(request.run_key)
    assert len(set(keys)) == AT_ONCE + 4
    assert drop.tick(failed=just(ago=timedelta(minutes=159))) == []
    assert [Tried(n, NOON).is_due(NOON + timedelta(days=1)) for n in (11, 1000)] == [True, True]
    assert not Tried(11, NOON).is_due(NOON + timedelta(hours=23))


def test_a_vanished_file_is_forgotten_and_no_run(drop):
    path = PLAN.staffing(drop.folder, "2024Q1")
    (first,) = drop.tick()
    content, stat = path.read_bytes(), path.stat()
    path.unlink()
    assert drop.tick(failed=just()) == []
    assert SensorState.load(drop.cursor).requested == {}
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    (again,) = drop.tick()
    assert again.run_key == first.run_key  # which Dagster knows: no second run


def test_an_archive_of_several_is_landed_once_however_far_behind_its_files_are(drop, tmp_path):
    (averages,) = (p for p in PLAN.release(tmp_path, 0) if "StateUSAverages" in p.name)
    quarter = PLAN.staffing(tmp_path, "2024Q1").read_bytes()
    members = [("a.pdf", bytes(range(256)) * 1000), ("PBJ.csv", quarter), ("averages.csv", averages.read_bytes())]
    archive = drop.folder / "monthly.zip"
    written(archive, zipped(*members, method=zipfile.ZIP_STORED))
    (drop.folder / "Thumbs.db").write_bytes(b"x")
    (drop.folder / "PBJ.csv.part").write_bytes(quarter[:5000])
    (request,) = drop.tick()
    assert request.job_name == "land_only"
    drop.land()
    assert {d.manifest.coverage.kind for d in drop.zone.deliveries()} == {"quarter", "release"}
    os.utime(archive, (1, 1))
    assert drop.tick() == []
    single = drop.folder / "PBJ.zip"
    written(single, zipped(*members[:2], method=zipfile.ZIP_STORED))
    (request,) = drop.tick()
    assert request.job_name == "daily_nurse_staffing_delivery"


def test_a_file_that_may_still_grow_waits_for_the_nexttick(drop, tmp_path):
    content = PLAN.staffing(tmp_path, "2024Q1").read_bytes()
    path = drop.folder / "PBJ.csv"
    for part in (content[:-30], content):
        path.write_bytes(part)
        assert drop.tick() == []
        assert drop.said.pop() == "PBJ.csv was changed within the last 10 s: it waits for the next tick"
    written(path, content, seconds_ago=30)  # unchanged since the tick before
    (first,) = drop.tick()
    written(path, content + b"\n", seconds_ago=0)
    assert drop.tick() == []
    written(path, content + b"\n", seconds_ago=-3600)  # the clock of a network drive is ahead: it is not left for ever
    (second,) = drop.tick()
    assert first.run_key != second.run_key
    assert drop.said == ["PBJ.csv was changed within the last 10 s: it waits for the next tick"]


def test_a_listing_that_fails_raises_and_changes_nothing(drop):
    PLAN.staffing(drop.folder, "2024Q1")
    drop.tick()
    cursor = drop.cursor
    with pytest.raises(SourceUnavailable, match="no such folder"):
        drop.tick(FolderSource(drop.folder / "elsewhere"))
    assert drop.cursor == cursor
    assert drop.tick() == []


class Flaky(FolderSource):
    """Cannot read some files, and takes its time for each."""

    def __init__(self, path, *, broken=(), seconds=0.0):
        super().__init__(path)
        self.broken, self.seconds = broken, seconds

    def peek(self, file, *args):
        time.sleep(self.seconds)
        if file.name in self.broken:
            raise SourceUnavailable(f"cannot read {file.name!r}")
        return super().peek(file, *args)


def test_a_file_that_cannot_be_read_waits_and_the_others_do_not(drop):
    PLAN.release(drop.folder, 0)
    broken = "NH_Penalties_Jul2024.csv"
    assert len(drop.tick(Flaky(drop.folder, broken=[broken]))) == 4
    assert drop.said == [f"cannot read '{broken}'"]
    assert drop.names(drop.tick()) == [broken]
    assert drop.tick() == []


def test_what_does_not_fit_into_a_tick_waits_for_the_next(drop):
    PLAN.release(drop.folder, 0)
    slow = Flaky(drop.folder, seconds=0.2)
    first = drop.names(drop.tick(slow, seconds=0.3))
    assert len(first) == 2
    assert "wait for the next tick" in drop.said[0]
    second = drop.names(drop.tick(slow, seconds=30))
    assert len(second) == 3
    assert not set(first) & set(second)
    assert drop.tick(slow, seconds=30) == []


def test_the_sensor_itself(tmp_path):
    settings = Settings(home=str(tmp_path / "lake"))
    folder = tmp_path / "lake" / "drop"
    folder.mkdir(parents=True)
    PLAN.staffing(folder, "2024Q1")
    with dg.DagsterInstance.ephemeral() as instance:
        found = tick("drive_sensor", settings, instance)
        assert [r.job_name for r in found.run_requests] == ["daily_nurse_staffing_delivery"]
        assert not tick("drive_sensor", settings, instance, cursor=found.cursor).run_requests
    with dg.DagsterInstance.ephemeral() as instance, pytest.raises(SourceUnavailable, match="no such folder"):
        tick("drive_sensor", Settings(home=str(tmp_path), source=str(tmp_path / "away")), instance)
