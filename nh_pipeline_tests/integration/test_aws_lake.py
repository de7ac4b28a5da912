"""The lake on S3 and the Glue Data Catalog: publishing, races, lost answers, what is left behind."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta

import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from nh_pipeline.engines.spark import spark_config
from nh_pipeline.errors import InfrastructureError
from nh_pipeline.lake.duck import reading
from nh_pipeline.lake.field_ids import put_ids
from nh_pipeline.lake.lake import Lake
from nh_pipeline.lake.maintain import sweep
from nh_pipeline.lake.publish import Conflict, publish
from nh_pipeline.lake.schema import iceberg_schema
from nh_pipeline.lake.storage import Storage
from nh_pipeline.landing.archive import open_csv
from nh_pipeline.landing.confirmations import confirmed
from nh_pipeline.landing.zone import RawZone
from nh_pipeline.model.columns import text
from nh_pipeline.pipeline.build_state import record_inputs, recorded_inputs
from nh_pipeline.pipeline.context import with_recompute
from nh_pipeline.sample import Deliveries
from nh_pipeline.sources import FolderSource, SourceUnavailable
from nh_pipeline.tables import tables
from nh_pipeline_tests.support.aws_calls import AwsError
from nh_pipeline_tests.support.aws_server import denied, throttled
from nh_pipeline_tests.support.landing import land
from nh_pipeline_tests.support.publishers import DAILY, add_days, meet_at, put, read, stage
from nh_pipeline_tests.support.role_sessions import role_profile
from nh_pipeline_tests.unit.test_landing_archive import zipped
from nh_pipeline_tests.unit.test_landing_recognise import claims, staffing

pytestmark = pytest.mark.integration

APRIL = [("a", date(2024, 4, 1), 1), ("b", date(2024, 4, 1), 2), ("a", date(2024, 4, 30), 3)]
MAY = [("a", date(2024, 5, 31), 4)]
IN_DOUBT = AwsError("InternalServiceException", "An internal error occurred.", 500)


@pytest.fixture
def lake(aws):
    return Lake(aws.home)


def snapshots(lake):
    return lake.catalog.load_table(lake.identifier(DAILY)).snapshots()


def in_order(rows):
    return sorted(rows, key=lambda r: (r[1], r[0]))


# The server itself: what it must refuse, so that the tests below say something


def test_the_server_refuses_what_aws_refuses(aws):
    glue, s3 = aws.client("glue"), aws.client("s3")
    glue.create_database(DatabaseInput={"Name": "d"})
    glue.create_table(DatabaseName="d", TableInput={"Name": "t"})
    seen = glue.get_table(DatabaseName="d", Name="t")["Table"]["VersionId"]
    glue.update_table(DatabaseName="d", TableInput={"Name": "t"}, VersionId=seen)
    with pytest.raises(glue.exceptions.ConcurrentModificationException):
        glue.update_table(DatabaseName="d", TableInput={"Name": "t"}, VersionId=seen)
    long = [{"Name": "c", "Type": "int", "Comment": "é" * 128}]
    with pytest.raises(ClientError, match="at most 255 bytes"):
        glue.create_table(DatabaseName="d", TableInput={"Name": "u", "StorageDescriptor": {"Columns": long}})
    with pytest.raises(s3.exceptions.NoSuchBucket):
        s3.put_object(Bucket="not-a-bucket-of-anybody", Key="k", Body=b"")
    arn = f"arn:aws:glue:us-west-2:{aws.account}"
    (call,) = aws.made("glue:GetTable")
    assert call.permissions == tuple(("glue:GetTable", f"{arn}:{r}") for r in ("catalog", "database/d", "table/d/t"))


@pytest.mark.parametrize("contract", tables(), ids=lambda c: c.name)
def test_glue_takes_the_columns_of_every_table(contract):
    comments = {f.name: f.doc or "" for f in iceberg_schema(contract).fields}
    assert not {n: c for n, c in comments.items() if len(c.encode()) > 255 or "\n" in c}


# Publishing


def test_publish_and_publish_again(lake, aws):
    first = put(lake, [*APRIL, *MAY], "2024-04", "2024-05", "2024-06", **{"run-id": "r1"})
    assert (first.changed, first.rows) == ({"2024-04", "2024-05"}, 4)
    assert read(lake) == in_order([*APRIL, *MAY])
    objects = list(lake.storage.files("warehouse"))
    again = put(lake, [*APRIL, *MAY], "2024-04", "2024-05", "2024-06", **{"run-id": "r2"})
    assert (again.changed, again.snapshot_id) == (frozenset(), first.snapshot_id)
    assert list(lake.storage.files("warehouse")) == objects
    put(lake, [], "2024-05")
    assert read(Lake(aws.home)) == in_order(APRIL)
    assert lake.catalog.load_table(("silver", "daily")).metadata.format_version == 2
    assert {c.params["SkipArchive"] for c in aws.made("glue:UpdateTable")} == {True}
    assert {c.region for c in aws.calls} == {"us-west-2"}
    assert {c.params["Bucket"] for c in aws.made("s3:*")} == {aws.bucket}


def test_staged_objects_get_field_ids(lake, aws):
    put(lake, APRIL, "2024-04")
    path, ids = lake.relative(lake.snapshot(DAILY).paths[0]), lake.field_ids(DAILY)
    with lake.storage.open(path) as source:
        found = pq.read_metadata(source).schema.to_arrow_schema()
    assert {f.name: int(f.metadata[b"PARQUET:field_id"]) for f in found} == ids
    assert read(lake) == in_order(APRIL)
    aws.calls.clear()
    put_ids(lake.storage, path, ids)  # an object that has its ids is not written again
    assert aws.made("s3:PutObject") == []


def test_environments_share_a_catalog(aws):
    dev, prod = Lake(f"{aws.home}/dev", {"database-prefix": "dev_"}), Lake(f"{aws.home}/prod")
    put(dev, APRIL, "2024-04")
    put(prod, MAY, "2024-05")
    assert (read(dev), read(prod)) == (in_order(APRIL), MAY)
    assert sorted(dev.catalog.list_namespaces()) == [("dev_silver",), ("silver",)]
    assert dev.snapshot(DAILY).table == "silver.daily"


def test_another_catalog(aws, tmp_path):
    lake = Lake(aws.home, {"type": "sql", "uri": f"sqlite:///{tmp_path}/catalog.db"})
    put(lake, APRIL, "2024-04")
    assert read(lake) == in_order(APRIL)
    assert aws.made("glue:*") == []


def test_whoever_may_not_make_databases_need_not_where_they_are(aws, lake):
    aws.client("glue").create_database(DatabaseInput={"Name": "silver"})
    with aws.failing("glue:CreateDatabase", denied):
        put(lake, APRIL, "2024-04")
    assert read(lake) == in_order(APRIL)


def test_a_column_that_a_contract_gained(aws, lake):
    put(lake, APRIL, "2024-04")
    gained = replace(DAILY, columns=(text("note", "a note"), *DAILY.columns))  # first, and files have it nowhere
    table = Lake(aws.home).table(gained)
    assert table.schema().find_field("note").field_id == 4
    found = aws.client("glue").get_table(DatabaseName="silver", Name="daily")["Table"]["StorageDescriptor"]["Columns"]
    assert [c["Name"] for c in found] == ["provider_id", "work_date", "census", "note"]
    with reading(lake, {"t": (gained, lake.snapshot(gained))}) as db:
        rows = db.execute("select provider_id, work_date, census, note from t order by 2, 1").fetchall()
    assert rows == [(*row, None) for row in in_order(APRIL)]
    rows = table.scan().to_arrow().select(["provider_id", "work_date", "census", "note"]).to_pylist()
    assert in_order(tuple(r.values())[:3] for r in rows) == in_order(APRIL)
    assert {r["note"] for r in rows} == {None}


def test_duckdb_reads_only_the_columns_that_are_asked_for(aws, lake):
    days = [(f"{n:06d}", date(2024, 4, 1 + d), n * d) for n in range(20_000) for d in range(5)]
    put(lake, days, "2024-04")
    (file,) = lake.snapshot(DAILY).paths
    size = lake.storage.fs.get_file_info(lake.storage.path(lake.relative(file))).size
    aws.calls.clear()
    with reading(lake, {"t": (DAILY, lake.snapshot(DAILY))}) as db:
        assert db.execute("select count(*), max(work_date) from t").fetchone() == (100_000, date(2024, 4, 5))
    ranges = [c.headers["range"].removeprefix("bytes=").split("-") for c in aws.made("s3:GetObject")
              if c.params["Key"].endswith(".parquet")]  # fmt: skip
    assert sum(int(b) - int(a) + 1 for a, b in ranges) < size / 2


def test_credentials_of_a_role_are_renewed(aws, lake, tmp_path, monkeypatch):
    """As a daemon needs it, whose tables and clients outlive many sessions: none of them is in a variable."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name, value in role_profile(aws, tmp_path, "pipeline", seconds=700).items():
        monkeypatch.setenv(name, value)
    put(lake, APRIL, "2024-04")
    table = lake.catalog.load_table(lake.identifier(DAILY))
    first = {c.key_id for c in aws.made("s3:*")}
    assert {key[:4] for key in first} == {"ASIA"}
    for key in first:
        aws.server.sessions[key] = ("", 0)  # its time is over
    assert table.scan().to_arrow().num_rows == 3
    assert list(lake.storage.files("warehouse"))
    with reading(lake, {"t": (DAILY, lake.snapshot(DAILY))}) as db:
        assert db.execute("select count(*) from t").fetchone() == (3,)
    put(lake, MAY, "2024-05")
    assert not first & {c.key_id for c in aws.made("s3:*")[-5:]}


@pytest.mark.at_length
def test_a_run_with_a_role_and_no_key(aws, tmp_path):
    """As it is on a machine: all clients of the process get at it, the engine's too."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "NH_"))}
    settings = {"NH_HOME": aws.home, "NH_DAGSTER_HOME": str(tmp_path / "dagster")}
    command = [sys.executable, "-m", "nh_pipeline_tests.support.few", "materialize", "--select", "silver/dim_date"]
    done = subprocess.run(
        command, env={**own, **settings, **role_profile(aws, tmp_path, "pipeline")}, capture_output=True, text=True,
        check=False, timeout=180,
    )  # fmt: skip
    assert (done.returncode, "1 run done" in done.stdout) == (0, True), done.stderr
    clients = {c.headers["user-agent"].partition("/")[0] for c in aws.calls if c.key_id.startswith("ASIA")}
    assert clients == {"Boto3", "aws-sdk-cpp", "object_store"}  # Arrow's is the second, Sail's the third
    assert {c.name for c in aws.calls if not c.key_id.startswith("ASIA")} == {"sts:AssumeRole"}


def test_what_jvm_spark_is_told(aws):
    told = spark_config("jvm", on_s3=True)
    assert told["spark.jars.packages"].startswith("org.apache.hadoop:hadoop-aws:3.3.4")
    assert told["spark.hadoop.fs.s3a.endpoint"] == aws.server.url
    assert told["spark.hadoop.fs.s3a.endpoint.region"] == aws.region
    assert not [name for name in spark_config("jvm") if "s3" in name or "jars" in name]


# Races


PLANS = {"a": ["2024-04", "2024-05"], "b": ["2024-04", "2024-06"], "c": ["2024-04"], "d": ["2024-07"]}
"""Who publishes which months: some the same, some not, and all of them the first load."""


def test_four_processes_publish_at_once(aws):
    options = {"database-prefix": "dev_"}
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["nh_pipeline_tests.support.publishers"])
    with ProcessPoolExecutor(4, context, initializer=meet_at, initargs=(context.Barrier(4), aws.environment)) as pool:
        running = [pool.submit(add_days, aws.home, options, name, months, 2) for name, months in PLANS.items()]
        done = [one.result() for one in running]
    lake = Lake(aws.home, options)
    published = [row for rows, _ in done for row in rows]
    assert len(published) + sum(gave_up for _, gave_up in done) == 12
    assert read(lake) == in_order(published)  # none lost, none doubled, and none of those that gave up
    assert len(snapshots(lake)) == len(published)
    assert [f.partition for f in lake.snapshot(DAILY).files] == ["2024-04", "2024-05", "2024-06", "2024-07"]


def overtaken(aws, publish):
    """Lets another one publish when the next commit is under way: the table was read, and is not replaced yet."""

    def answer(_):
        if aws.handlers.pop("glue:UpdateTable", None):
            publish(Lake(aws.home))

    aws.handlers["glue:UpdateTable"] = answer


def test_a_publish_that_lost_the_race_for_other_months_goes_again(aws, lake):
    put(lake, APRIL, "2024-04")
    before = len(aws.made("glue:UpdateTable"))
    overtaken(aws, lambda other: put(other, [("z", date(2024, 7, 1), 9)], "2024-07"))
    put(lake, MAY, "2024-05")
    assert read(lake) == in_order([*APRIL, *MAY, ("z", date(2024, 7, 1), 9)])
    assert len(snapshots(lake)) == 3
    assert len(aws.made("glue:UpdateTable")) == before + 3  # one of them was refused


def test_a_publish_that_lost_the_race_for_its_months_is_computed_again(aws, lake):
    put(lake, APRIL, "2024-04")
    overtaken(aws, lambda other: put(other, [*APRIL, ("other", date(2024, 4, 2), 8)], "2024-04"))
    seen = []

    def attempt():
        before = lake.snapshot(DAILY, ["2024-04"])
        seen.append(before.rows)
        return put(lake, [*read(lake, before), ("mine", date(2024, 4, 3), 9)], "2024-04", base=before)

    with_recompute(attempt)
    assert seen == [3, 4]
    assert read(lake) == in_order([*APRIL, ("other", date(2024, 4, 2), 8), ("mine", date(2024, 4, 3), 9)])


def test_a_note_that_lost_the_race_goes_again_or_says_nothing(aws, lake):
    april = put(lake, APRIL, "2024-04")
    overtaken(aws, lambda other: put(other, MAY, "2024-05"))
    record_inputs(lake, DAILY, {"2024-04": "x"}, april.model_copy(update={"partitions": frozenset(["2024-04"])}))
    assert recorded_inputs(lake, DAILY) == {"2024-04": "x"}
    overtaken(aws, lambda other: put(other, APRIL[:1], "2024-04"))
    record_inputs(lake, DAILY, {"2024-04": "y"}, april.model_copy(update={"partitions": frozenset(["2024-04"])}))
    assert recorded_inputs(lake, DAILY) == {"2024-04": "x"}


def test_a_publish_of_what_another_one_changed_is_a_conflict(lake):
    before = lake.snapshot(DAILY, ["2024-04"])
    staged = stage(lake, APRIL, ["2024-04"])
    put(lake, APRIL[:1], "2024-04")
    with pytest.raises(Conflict):
        publish(lake, DAILY, staged, base=before, inputs=[], properties={})
    assert not list(lake.storage.files(staged.folder))
    assert read(lake) == APRIL[:1]


def test_processes_create_a_table_at_once(aws):
    lakes = [Lake(aws.home) for _ in range(4)]
    barrier = threading.Barrier(4)

    def create(lake):
        barrier.wait(10)
        return lake.table(DAILY).metadata.table_uuid

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(create, lakes))) == 1


# Answers that get lost


@pytest.mark.parametrize("others", [[], [("z", date(2024, 7, 1), 9)]])
def test_a_commit_whose_answer_got_lost_counts(aws, lake, others):
    """AWS's client sends it again and is refused, as the table is no longer as it was: because of this very commit."""
    put(lake, APRIL, "2024-04")
    made = len(aws.made("glue:UpdateTable"))

    def answer(_):
        if others and len(aws.made("glue:UpdateTable")) == made + 2:  # before it is sent again, another one commits
            put(Lake(aws.home), others, "2024-07")

    aws.handlers["glue:UpdateTable"] = answer
    with aws.failing("glue:UpdateTable", IN_DOUBT, times=1, lost=True) as fault:
        done = put(lake, MAY, "2024-05")
    assert fault.met == 1
    assert set(lake.snapshot(DAILY, ["2024-05"]).paths) == done.paths
    assert read(lake) == in_order([*APRIL, *MAY, *others])
    assert len(snapshots(lake)) == 2 + len(others)


def test_a_table_whose_creation_was_not_answered_is_there(aws, lake):
    with aws.failing("glue:CreateTable", IN_DOUBT, times=1, lost=True) as fault:
        put(lake, APRIL, "2024-04")
    assert fault.met == 1
    assert read(lake) == in_order(APRIL)


def test_a_note_whose_answer_got_lost(aws, lake):
    done = put(lake, APRIL, "2024-04")
    with aws.failing("glue:UpdateTable", IN_DOUBT, times=1, lost=True) as fault:
        record_inputs(lake, DAILY, {"2024-04": "x"}, done)
    assert fault.met == 1
    assert recorded_inputs(lake, DAILY) == {"2024-04": "x"}
    put(lake, APRIL[:1], "2024-04")
    record_inputs(lake, DAILY, {"2024-04": "y"}, done)  # no longer what was published
    assert recorded_inputs(lake, DAILY) == {"2024-04": "x"}


def test_throttled_requests_are_sent_again(aws, lake):
    with aws.failing("*", throttled, times=3) as fault:
        put(lake, APRIL, "2024-04")
    assert fault.met == 3
    assert read(lake) == in_order(APRIL)


def test_a_publish_that_may_not_commit_leaves_the_table_as_it_was(aws, lake):
    put(lake, APRIL, "2024-04")
    with aws.failing("glue:UpdateTable", denied), pytest.raises(InfrastructureError) as told:
        with_recompute(lambda: put(lake, MAY, "2024-05"))
    assert "AWS: access is denied" in str(told.value)
    assert "glue:UpdateTable" in str(told.value)
    assert read(lake) == in_order(APRIL)


# Files


def test_what_dead_attempts_left_is_swept(lake):
    put(lake, APRIL, "2024-04")
    put(lake, APRIL[:1], "2024-04")
    kept = set(lake.storage.files("warehouse"))
    staged = stage(lake, MAY, ["2024-05"])
    lake.storage.write("raw/.incoming/dead", b"x")
    assert sweep(lake, [DAILY]) == []  # not a day old
    left = sweep(lake, [DAILY], older_than=timedelta(seconds=-5))
    assert set(left) >= {"raw/.incoming/dead", *(lake.relative(f.path) for f in staged.files)}
    assert set(lake.storage.files("warehouse")) == kept
    assert len(snapshots(lake)) == 2


def test_a_file_is_there_as_a_whole_or_not_at_all(aws):
    storage = Storage(aws.home)
    storage.write("state/x.json", b"old")
    with aws.failing("s3:PutObject", denied), pytest.raises(OSError, match="ACCESS_DENIED"):
        storage.write("state/x.json", b"new")
    assert storage.read("state/x.json") == b"old"
    storage.write("state/x.json", b"new")
    storage.move("state/x.json", "state/deeper/y.json")
    assert list(storage.files()) == ["state/deeper/y.json"]
    assert list(storage.read_all(["state/deeper/y.json"] * 40)) == [b"new"] * 40
    storage.delete("state")
    assert list(storage.files()) == []
    storage.delete("state")  # nothing there
    assert not storage.exists("state/deeper/y.json")
    assert confirmed(storage) == frozenset()


def test_a_delivery_lands_once(aws, tmp_path):
    file = Deliveries(5, ("2024Q2",), releases=0, days=2).staffing(tmp_path, "2024Q2")
    zone, source = RawZone(Storage(aws.home)), FolderSource(file)
    (listed,) = source.changes().files
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(source), "download", _broken_off)
        with pytest.raises(SourceUnavailable):
            zone.land(source, listed)
    assert list(zone.storage.files()) == []
    landed = zone.land(source, listed)
    assert landed.created
    assert not zone.land(source, listed).created
    assert sorted(zone.storage.files()) == [f"{landed.path}/delivery.csv", f"{landed.path}/manifest.json"]
    (delivery,) = zone.deliveries()
    read_once = len(aws.made("s3:GetObject"))
    assert zone.deliveries() == [delivery]
    assert len(aws.made("s3:GetObject")) == read_once
    with zone.open(delivery) as stream, file.open("rb") as original:
        assert stream.read() == original.read()
    assert open_csv(zone.storage.open(delivery.file), "x").stream.read() == file.read_bytes()


def test_an_archive_of_several_lands_once(aws, tmp_path):
    (path := tmp_path / "m.zip").write_bytes(
        zipped(("a.csv", claims("2024-10-01")), ("odd.csv", b"a,b\n1,2\n"), ("b.csv", staffing("2024Q2").encode()))
    )
    zone = RawZone(Storage(aws.home))
    first = land(zone, path)
    assert [part.outcome for part in zone.archives()[0].parts] == ["landed", "quarantined", "landed"]
    assert len(zone.deliveries()) == 2
    before = {name: zone.storage.read(name) for name in zone.storage.files()}
    assert not [name for name in before if ".incoming" in name]
    aws.calls.clear()
    again = land(RawZone(zone.storage), path)
    assert [each.document for each in again.each] == [each.document for each in first.each]
    assert not any(each.created for each in (again, *again.each))
    assert {call.name for call in aws.calls} <= {"s3:GetObject", "s3:HeadObject", "s3:ListObjectsV2"}
    assert {name: zone.storage.read(name) for name in zone.storage.files()} == before


def _broken_off(_source, _file, out):
    out.write(b"the beginning")
    raise SourceUnavailable("gone")
