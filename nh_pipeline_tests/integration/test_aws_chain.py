"""The whole chain on S3 and the Glue Data Catalog: ``nh demo`` and Google Drive, and what other readers make of it."""

from __future__ import annotations

import subprocess
import sys
import uuid
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pysail.spark import SparkConnectServer
from pyspark.sql import SparkSession

from nh_pipeline.cli import demo
from nh_pipeline.domains import VARIABLE
from nh_pipeline.lake.lake import Lake
from nh_pipeline.lake.publish import find_staged, publish, staging_folder
from nh_pipeline.landing.source_state import SourceState
from nh_pipeline.landing.sync import land_changes
from nh_pipeline.landing.zone import RawZone
from nh_pipeline.model.columns import text
from nh_pipeline.model.mart import Mart
from nh_pipeline.model.quality import DATA_QUALITY
from nh_pipeline.sample import Deliveries
from nh_pipeline.settings import Settings
from nh_pipeline.sources.opening import open_source
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.aws_server import denied, signed_in
from nh_pipeline_tests.support.few import FEW
from nh_pipeline_tests.support.local import Nh
from nh_pipeline_tests.support.publishers import DAILY, put

pytestmark = [
    pytest.mark.integration,
    pytest.mark.at_length,
    # Dagster leaves the closing of its event-log and schedule connections to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PLAN = Deliveries(facilities=20, quarters=("2024Q2",), releases=2, days=4)
"""The demo, small."""
LANDED = {"daily_nurse_staffing", "providers", "medicare_claims", "penalties", "state_us_averages",
          "data_collection_intervals", ""}  # fmt: skip
TABLES = [c for c in chain.TABLES if c.dataset in LANDED and (c.kind in FEW or not isinstance(c.kind, Mart))]
TABLES.remove(chain.REJECTS)  # it has no line that is refused, so nobody made that table
"""What the demo makes without the files that only its last releases have."""


@pytest.fixture(scope="module")
def account(aws_server):
    with signed_in(aws_server) as aws:
        yield aws


@pytest.fixture(scope="module")
def lakes(account, engine, tmp_path_factory):
    """The demo on S3, through Dagster, and a lake that the same deliveries make in a folder, without it."""
    remote, folder = Nh(account.home), tmp_path_factory.mktemp("local")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "PLAN", PLAN)
        patch.setenv(VARIABLE, "cms")  # the clinical tables on S3 are those of test_clinical
        patch.chdir(folder)  # where an s3:// home has its Dagster instance and the demo's deliveries
        remote.told = remote("demo").stdout
        workspace = chain.workspace_at(folder / "lake", engine)
        chain.land(workspace, folder / ".nh" / "demo-deliveries")
        chain.whole(workspace)
        yield Nh(folder / "lake"), remote


@pytest.fixture(scope="module")
def opened(lakes):
    """The two lakes, opened once: on S3 that takes longer than to read a table."""
    local, remote = lakes
    return local.lake, remote.lake


def rows_of(table: pa.Table, contract) -> pa.Table:
    """What a reader found, in the contract's types and order; NULL and text types are the readers' own business."""
    schema = contract.arrow
    return chain.without_runs(table.select(schema.names).cast(schema)).sort_by(
        [(c, "ascending") for c in contract.grain]
    )


def test_the_lake_is_that_of_a_local_run(lakes, opened):
    _, remote = lakes
    for contract in chain.TABLES:
        expected, found = (chain.table(lake, contract) for lake in opened)
        assert (expected.num_rows > 0) == (contract in TABLES)
        assert found.equals(expected), contract.name
    jobs = [
        "daily_nurse_staffing_delivery",
        "releases",
        "dimensions",
        "releases",
        "daily_nurse_staffing_delivery",
        "quality",
    ]  # the first one to bronze only
    assert [r.job_name for r in remote.runs()] == jobs
    assert "Staffing: " in remote.told
    again = remote("run", ".nh/demo-deliveries").stdout
    assert again.endswith("nothing to do: every table is up to date\n")


def test_it_is_in_the_glue_catalog(lakes, account):
    glue = account.client("glue")
    names = {d["Name"]: {t["Name"] for t in glue.get_tables(DatabaseName=d["Name"])["TableList"]}
             for d in glue.get_databases()["DatabaseList"]}  # fmt: skip
    assert {f"{layer}.{name}" for layer, tables in names.items() for name in tables} == {
        *(c.name for c in TABLES), DATA_QUALITY.name,
    }  # fmt: skip
    table = glue.get_table(DatabaseName="gold", Name="facility_measures")["Table"]
    assert table["Parameters"]["table_type"] == "ICEBERG"
    assert table["StorageDescriptor"]["Location"] == f"{account.home}/warehouse/gold/facility_measures"
    assert all(key.startswith("lakes/test") for key in _keys(account))  # all below NH_HOME


def _keys(account):
    pages = account.client("s3").get_paginator("list_objects_v2").paginate(Bucket=account.bucket)
    return [o["Key"] for page in pages for o in page.get("Contents", [])]


@pytest.mark.parametrize("contract", TABLES, ids=lambda c: c.name)
def test_pyiceberg_and_polars_read_it(opened, contract):
    local, remote = opened
    expected = chain.table(local, contract)
    table = remote.catalog.load_table(remote.identifier(contract))
    assert rows_of(table.scan().to_arrow(), contract).equals(expected)
    found = pl.scan_iceberg(table, reader_override="native").collect().to_arrow()
    assert rows_of(found, contract).equals(expected)


@pytest.fixture(scope="module")
def sail(account, lakes):
    """Sail as another party runs it, with the account's Glue Data Catalog as its catalog."""
    with pytest.MonkeyPatch.context() as patch:
        found = f'type="glue", name="sail", region="{account.region}", endpoint_url="{account.server.url}"'
        patch.setenv("SAIL_CATALOG__LIST", f"[{{{found}}}]")
        server = SparkConnectServer(ip="127.0.0.1", port=0)
        server.start(background=True)
        session = SparkSession.builder.remote("sc://{}:{}".format(*server.listening_address)).create()
        yield session
        session.stop()
        server.stop()


@pytest.mark.parametrize("contract", TABLES, ids=lambda c: c.name)
def test_sail_reads_it_through_the_catalog(opened, sail, contract):
    found = sail.table(contract.name).toPandas()
    assert rows_of(pa.Table.from_pandas(found), contract).equals(chain.table(opened[0], contract))


def test_nh_asks_it(lakes):
    local, remote = lakes
    sql = "select state, count(*) as n, sum(total_hours) as hours from gold.facility_measures group by all order by all"
    assert remote.rows(sql) == local.rows(sql)
    assert remote("status", "--json").stdout.count('"rows"') == local("status", "--json").stdout.count('"rows"')


def test_nh_asks_what_it_may_not_read(lakes, account):
    with account.failing("s3:GetObject", denied, resource="*.parquet"):
        told = lakes[1]("query", "select sum(census) from gold.facility_measures", exits=1).stderr
    assert "AWS: access is denied" in " ".join(told.split())


def test_a_process_of_its_own(lakes, account):
    """Credentials, region and address come from the environment alone, and the process ends as it should."""
    sql = "select count(*) as rows from silver.fct_staffing_levels"
    command = [sys.executable, "-m", "nh_pipeline_tests.support.few", "query", sql, "--format", "csv"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
    assert (done.returncode, done.stdout, done.stderr) == (0, "rows\n80\n", "")


def test_columns_are_found_wherever_they_are(account, sail):
    """One file lacks a column that the table has now, one has them in another order."""
    lake = Lake(f"{account.home}/names", {"database-prefix": "names_"})
    put(lake, [("a", date(2024, 4, 1), 1), ("b", date(2024, 4, 30), 2)], "2024-04")
    contract = replace(DAILY, columns=(text("note", "a note"), *reversed(DAILY.columns)))
    folder = staging_folder(contract, uuid.uuid4().hex)
    row = {"note": "n", "census": 7, "work_date": date(2024, 5, 2), "provider_id": "c"}
    with lake.storage.create(f"{folder}/partition=2024-05/part-0.parquet") as sink:
        pq.write_table(pa.Table.from_pylist([row], schema=contract.arrow), sink)
    staged = find_staged(lake, contract, folder, {"2024-05"})
    publish(lake, contract, staged, base=lake.snapshot(contract, ["2024-05"]), inputs=[], properties={})
    table = lake.catalog.load_table(lake.identifier(contract))
    assert table.schema().column_names == ["provider_id", "work_date", "census", "note"]
    expected = [("a", date(2024, 4, 1), 1, None), ("b", date(2024, 4, 30), 2, None), ("c", date(2024, 5, 2), 7, "n")]
    readers = {
        "PyIceberg": table.scan().to_arrow().to_pylist(),
        "polars": pl.scan_iceberg(table, reader_override="native").collect().to_dicts(),
        "polars, other order": pl.scan_iceberg(table, reader_override="native")
        .select("note", "census", "work_date", "provider_id").collect().to_dicts(),
        "Sail's catalog": [r.asDict() for r in sail.table("names_silver.daily").collect()],
        "Sail's files": [r.asDict() for r in sail.read.format("iceberg").load(table.location()).collect()],
    }  # fmt: skip
    for reader, found in readers.items():
        in_order = sorted((r["provider_id"], r["work_date"], r["census"], r["note"]) for r in found)
        assert in_order == expected, reader


def test_a_drive_folder_is_followed_with_credentials_of_secrets_manager(account, drive_server, tmp_path, monkeypatch):
    drive = drive_server.drive
    key = Path(drive.credentials(tmp_path / "key.json", drive_server.url)).read_text()
    account.client("secretsmanager").create_secret(Name="nh/drive", SecretString=key)
    monkeypatch.setenv("NH_HOME", f"{account.home}/drive")
    monkeypatch.setenv("NH_SOURCE", f"gdrive://{drive.root}")
    monkeypatch.setenv("NH_DRIVE_CREDENTIALS", "secretsmanager://nh/drive")
    monkeypatch.setenv("NH_DRIVE_ENDPOINT", drive_server.endpoint)
    settings = Settings()
    file = PLAN.staffing(tmp_path, "2024Q2")
    drive.add(file.read_bytes(), file.name)
    zone = RawZone(Lake(settings.home, settings.catalog_properties).storage)
    credentials = settings.drive_credentials.get_secret_value()
    source = open_source(settings.source_folder, credentials=credentials, endpoint=settings.drive_endpoint)
    (landed,) = land_changes(source, zone, SourceState(zone.storage, source.name))
    assert landed.created
    assert land_changes(source, zone, SourceState(zone.storage, source.name)) == []
    state = SourceState(zone.storage, source.name)
    assert (state.cursor is not None, [f.name for f in state.files]) == (True, [file.name])
    assert not zone.deliveries()[0].withdrawn
    drive.remove(state.files[0].file_id)
    land_changes(source, zone, state)
    assert zone.deliveries()[0].withdrawn
    assert account.made("secretsmanager:GetSecretValue")
