"""What Dagster loads: exactly these assets, checks, jobs and sensors, described by their contracts."""

from __future__ import annotations

import subprocess
import sys

import dagster as dg
import pytest

from nh_pipeline.contracts import ALL
from nh_pipeline.contracts.bronze import REJECTS
from nh_pipeline.orchestration.definitions import build_defs
from nh_pipeline.orchestration.events import asset_key
from nh_pipeline.orchestration.partitions import RELEASES, WORK_DATES
from nh_pipeline.orchestration.resources import LakeResource
from nh_pipeline.settings import Settings

DAILY = {
    "raw/daily_nurse_staffing",
    "bronze/daily_nurse_staffing_raw",
    "silver/fct_staffing_levels",
    "gold/facility_measures",
}
MONTHLY = {"raw/providers", "raw/medicare_claims", "bronze/providers_raw", "bronze/medicare_claims_raw"}
WHOLE = {"silver/dim_providers", "silver/dim_claims", "silver/dim_date"}
GATE = {"schema", "grain", "values", "rows_kept"}
SCD2 = {"scd2_history", "current_is_latest_release", "interval_not_empty", "current_is_open"}
CHECKS = {
    "bronze/daily_nurse_staffing_raw": {*GATE, "row_accounting"},
    "bronze/providers_raw": {*GATE, "row_accounting"},
    "bronze/medicare_claims_raw": {*GATE, "row_accounting"},
    "silver/fct_staffing_levels": {
        *GATE,
        "row_accounting",
        "facilities_readable",
        "rollups_add_up",
        "date_in_quarter",
        "groups_balance",
        "hours_plausible",
        "dates_complete",
        "facilities_per_day_stable",
        "no_delivery_held",
        "headers_known",
    },
    "silver/dim_providers": {*GATE, *SCD2, "row_accounting", "no_delivery_held", "headers_known"},
    "silver/dim_claims": {
        *GATE,
        *SCD2,
        "row_accounting",
        "no_delivery_held",
        "headers_known",
        "unknown_claims_providers",
    },
    "silver/dim_date": GATE,
    "gold/facility_measures": {
        *GATE,
        "row_accounting",
        "hprd_when_census",
        "unknown_providers",
        "as_many_rows_as_facts",
    },
}
WARNS = {"groups_balance", "hours_plausible", "no_delivery_held"}
"""Checks inside the asset that warn: what they find is published all the same."""


@pytest.fixture(scope="module")
def defs() -> dg.Definitions:
    return build_defs(Settings(home="nowhere"))


@pytest.fixture(scope="module")
def graph(defs):
    return defs.resolve_asset_graph()


def by_name(keys):
    return {key.to_user_string(): key for key in keys}


def test_importing_them_warns_of_nothing_and_does_nothing(tmp_path):
    # PySpark 3.5 compares versions with distutils, Python's own or that of setuptools: both warn of themselves.
    distutils = ("distutils Version classes", "The distutils package")
    told = [
        sys.executable,
        *("-W", "error", *(option for text in distutils for option in ("-W", f"ignore:{text}:DeprecationWarning"))),
        *(
            "-c",
            "from nh_pipeline.orchestration import definitions as d; d.dg.Definitions.validate_loadable(d.defs)",
        ),
    ]
    found = subprocess.run(told, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert found.returncode == 0, found.stderr
    assert found.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_assets(graph):
    assert set(by_name(graph.executable_asset_keys)) == DAILY | MONTHLY | WHOLE
    assert set(by_name(graph.get_all_asset_keys())) == DAILY | MONTHLY | WHOLE | {"bronze/rejects"}


def test_layers_are_groups_and_every_asset_says_what_it_is(graph):
    for name, key in by_name(graph.get_all_asset_keys()).items():
        node = graph.get(key)
        assert node.group_name == name.partition("/")[0]
        assert node.description
        assert node.kinds


def test_daily_assets_share_one_partitions_object_and_a_range_is_one_run(graph):
    keys = by_name(graph.executable_asset_keys)
    for name in DAILY | MONTHLY:
        node = graph.get(keys[name])
        assert node.partitions_def is (WORK_DATES if name in DAILY else RELEASES)
        assert node.backfill_policy == dg.BackfillPolicy.single_run()
    assert all(graph.get(keys[name]).partitions_def is None for name in WHOLE)
    assert WORK_DATES.get_first_partition_key() == "2017-01-01"


def test_dependencies(graph):
    keys = by_name(graph.get_all_asset_keys())
    parents = {name: {p.to_user_string() for p in graph.get(key).parent_keys} for name, key in keys.items()}
    assert parents == {
        "raw/daily_nurse_staffing": set(),
        "raw/providers": set(),
        "raw/medicare_claims": set(),
        "bronze/daily_nurse_staffing_raw": {"raw/daily_nurse_staffing"},
        "bronze/providers_raw": {"raw/providers"},
        "bronze/medicare_claims_raw": {"raw/medicare_claims"},
        "bronze/rejects": {"raw/daily_nurse_staffing", "raw/providers", "raw/medicare_claims"},
        "silver/fct_staffing_levels": {"bronze/daily_nurse_staffing_raw"},
        "silver/dim_providers": {"bronze/providers_raw"},
        "silver/dim_claims": {"bronze/medicare_claims_raw"},
        "silver/dim_date": set(),
        "gold/facility_measures": {"silver/fct_staffing_levels", "silver/dim_providers", "silver/dim_claims"},
    }


def test_checks(graph):
    found: dict[str, set[str]] = {}
    for key in graph.asset_check_keys:
        found.setdefault(key.asset_key.to_user_string(), set()).add(key.name)
    assert found == CHECKS


def test_every_check_says_what_it_checks_and_the_gate_says_that_it_blocks(defs, graph):
    inside = {spec.key: spec for a in defs.assets or () for spec in getattr(a, "check_specs", ())}
    for key in graph.asset_check_keys:
        spec = graph.get(key)
        assert spec.description, key
        if key in inside:
            assert spec.blocking is (key.name not in WARNS), key
        else:
            assert not spec.blocking, key


@pytest.mark.parametrize("contract", ALL, ids=lambda c: c.name)
def test_an_asset_shows_the_columns_of_its_contract(graph, contract):
    metadata = graph.get(asset_key(contract)).metadata
    columns = metadata["dagster/column_schema"].columns
    assert [(c.name, c.type) for c in columns] == [(f.name, f.dataType.simpleString()) for f in contract.spark.fields]
    for column in columns:
        declared = contract.schema.columns[column.name]
        assert column.description == declared.description
        assert column.constraints.nullable is bool(declared.nullable)
        assert column.constraints.unique is (contract.grain == (column.name,))
    assert metadata["dagster/table_name"] == contract.name


def test_every_table_is_an_asset(graph):
    tables = {asset_key(c).to_user_string() for c in ALL}
    assert tables == {name for name in by_name(graph.get_all_asset_keys()) if not name.startswith("raw/")}
    assert asset_key(REJECTS) not in graph.executable_asset_keys


def test_jobs_and_sensors(defs):
    repository = defs.get_repository_def()
    assert {j.name for j in repository.get_all_jobs()} == {
        "staffing",
        "providers_release",
        "claims_release",
        "dimensions",
        "facility_measures",
        "land_only",
        "reconciliation",
        "__ASSET_JOB",
    }
    sensors = {s.name: s for s in repository.sensor_defs}
    assert set(sensors) == {
        "drive_sensor",
        "catch_up",
        "dimensions_follow_releases",
    }
    assert all(s.default_status is dg.DefaultSensorStatus.RUNNING and s.description for s in sensors.values())
    (nightly,) = repository.schedule_defs
    assert (nightly.name, nightly.job_name) == ("nightly_reconciliation", "reconciliation")
    assert nightly.default_status is dg.DefaultScheduleStatus.RUNNING


def test_resources_can_be_replaced(tmp_path):
    mine = LakeResource(root=str(tmp_path / "mine"))
    defs = build_defs(Settings(home="nowhere"), resources={"lake": mine})
    assert defs.resources is not None
    assert defs.resources["lake"] is mine
    assert set(defs.resources) == {"lake", "engine", "source"}


def test_runs_get_the_catalog_and_nobody_is_shown_its_password(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path}/geheim.db"
    monkeypatch.setenv("NH_CATALOG_URL", url)
    defs = build_defs(Settings(home=str(tmp_path)))
    seen = []

    @dg.op
    def look(lake: LakeResource) -> None:
        seen.append(lake.lake.catalog_properties["uri"])

    @dg.job(resource_defs=dict(defs.resources or {}))
    def looks() -> None:
        look()

    assert looks.execute_in_process().success
    assert seen == [url]
    lake = defs.get_repository_def().get_top_level_resources()["lake"]
    assert "geheim" not in str(lake.configurable_resource_cls) + repr((defs.resources or {})["lake"])
    assert "NH_CATALOG_URL" in repr((defs.resources or {})["lake"])


@pytest.mark.integration
def test_dagster_validates_them(tmp_path):
    told = [sys.executable, "-m", "dagster", "definitions", "validate", "-m", "nh_pipeline.orchestration.definitions"]
    found = subprocess.run(told, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "All code locations passed validation" in found.stdout + found.stderr
