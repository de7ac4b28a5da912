"""What Dagster loads: exactly these assets, checks, jobs and sensors, described by their contracts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from nh_pipeline.model.table import REJECTS
from nh_pipeline.orchestration.check_keys import check_keys
from nh_pipeline.orchestration.checks import FRESH
from nh_pipeline.orchestration.definitions import build_defs
from nh_pipeline.orchestration.partitions import EXPORTS, RELEASES, WORK_DATES
from nh_pipeline.orchestration.parts import asset_key
from nh_pipeline.orchestration.resources import LakeResource
from nh_pipeline.settings import Settings
from nh_pipeline.tables import tables

pytestmark = pytest.mark.every_mart

SNAPSHOT = Path(__file__).resolve().parents[1] / "data" / "definitions.json"
"""All that Dagster loads, by name: to be looked at, and written anew, whenever it changes (``python -m
nh_pipeline_tests.integration.test_definitions``)."""

WARNS = {
    "denied_within_billed",
    "end_not_before_start",
    "kind_known",
    "lines_balance_header",
    "paid_not_over_billed",
    "groups_balance",
    "hours_plausible",
    "no_delivery_held",
    "days_in_order",
    "value_is_a_number",
    "constant",
    "rules_hold",
}
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


def snapshot(defs: dg.Definitions) -> dict[str, Any]:
    """Assets with group, kinds, partitions, dependencies and checks; jobs with their assets; sensors and schedules."""
    graph, repository = defs.resolve_asset_graph(), defs.get_repository_def()
    partitions = {WORK_DATES: "days", RELEASES: "months", EXPORTS: "days of export", None: "none"}
    checks: dict[str, list[str]] = {}
    for check in graph.asset_check_keys:
        checks.setdefault(check.asset_key.to_user_string(), []).append(check.name)
    assets = {
        name: {
            "group": (node := graph.get(key)).group_name,
            "kinds": sorted(node.kinds),
            "owners": sorted(node.owners),
            "tags": {k: v for k, v in sorted(node.tags.items()) if not k.startswith("dagster/")},
            "partitions": partitions[node.partitions_def],
            "executable": node.is_executable,
            "reads": sorted(parent.to_user_string() for parent in node.parent_keys),
            "checks": sorted(checks.get(name, [])),
        }
        for name, key in sorted(by_name(graph.get_all_asset_keys()).items())
    }
    jobs = {
        job.name: sorted(key.to_user_string() for key in job.asset_layer.executable_asset_keys)
        for job in repository.get_all_jobs()
        if not job.name.startswith("__")
    }
    return {
        "assets": assets,
        "jobs": dict(sorted(jobs.items())),
        "sensors": sorted(sensor.name for sensor in repository.sensor_defs),
        "schedules": {s.name: s.job_name for s in repository.schedule_defs},
    }


def test_what_is_loaded_is_what_the_snapshot_says(defs):
    found, known = snapshot(defs), json.loads(SNAPSHOT.read_text())
    assert found == known, f"look at the difference; if it is meant: python -m {__name__}"


def test_layers_are_groups_and_every_asset_says_what_it_is(graph):
    for name, key in by_name(graph.get_all_asset_keys()).items():
        node = graph.get(key)
        assert node.group_name == name.partition("/")[0]
        assert node.description
        assert node.kinds


def test_daily_assets_share_one_partitions_object_and_a_range_is_one_run(graph):
    for key in graph.executable_asset_keys:
        node = graph.get(key)
        if node.partitions_def is not None:
            assert any(node.partitions_def is known for known in (WORK_DATES, RELEASES, EXPORTS))
            assert node.backfill_policy == dg.BackfillPolicy.single_run()
    assert WORK_DATES.get_first_partition_key() == "2017-01-01"


def test_who_looks_at_checks_knows_them_without_the_definitions(graph):
    assert check_keys(Settings()) == sorted(graph.asset_check_keys)


def test_every_check_says_what_it_checks_and_the_gate_says_that_it_blocks(defs, graph):
    inside = {spec.key: spec for a in defs.assets or () for spec in getattr(a, "check_specs", ())}
    for key in graph.asset_check_keys:
        spec = graph.get(key)
        assert spec.description, key
        if key in inside:
            assert spec.blocking is (key.name not in WARNS), key
        else:
            assert not spec.blocking, key


@pytest.mark.parametrize("contract", tables(), ids=lambda c: c.name)
def test_an_asset_shows_the_columns_of_its_contract(graph, contract):
    metadata = graph.get(asset_key(contract)).metadata
    columns = metadata["dagster/column_schema"].columns
    assert [(c.name, c.type) for c in columns] == [(f.name, f.dataType.simpleString()) for f in contract.spark.fields]
    for column in columns:
        declared = contract.by_name[column.name]
        assert column.description == declared.description
        assert column.constraints.nullable is bool(declared.nullable)
        assert column.constraints.unique is (contract.grain == (column.name,))
    assert metadata["dagster/table_name"] == contract.name


def test_every_table_is_an_asset(graph):
    found = {asset_key(c).to_user_string() for c in tables()}
    assert found == {name for name in by_name(graph.get_all_asset_keys()) if not name.startswith("raw/")}
    assert asset_key(REJECTS) not in graph.executable_asset_keys


def test_whatever_runs_by_itself_is_on_and_says_what_it_does(defs):
    repository = defs.get_repository_def()
    for sensor in repository.sensor_defs:
        assert sensor.default_status is dg.DefaultSensorStatus.RUNNING, sensor.name
        assert sensor.description, sensor.name
    assert all(s.default_status is dg.DefaultScheduleStatus.RUNNING for s in repository.schedule_defs)


def test_no_job_but_the_one_of_the_clock_asks_whether_a_delivery_is_late(defs):
    late = {
        job.name: {key.name for key in job.asset_layer.asset_graph.asset_check_keys} & {FRESH}
        for job in (defs.resolve_job_def(name) for name in json.loads(SNAPSHOT.read_text())["jobs"])
    }
    assert {name for name, found in late.items() if found} == {"freshness"}


def test_columns_are_traced_to_where_the_declaration_says(graph):
    def lineage(*key: str) -> dict[str, list[tuple[str, str]]]:
        found = graph.get(dg.AssetKey(key)).metadata["dagster/column_lineage"].deps_by_column
        return {c: [(d.asset_key.to_user_string(), d.column_name) for d in deps] for c, deps in found.items()}

    assert lineage("silver", "dim_providers")["overall_rating"] == [("bronze/providers_raw", "overall_rating")]
    assert "valid_from" not in lineage("silver", "dim_providers")
    measures = lineage("gold", "facility_measures")
    assert measures["census"] == [("silver/fct_staffing_levels", "census")]
    assert measures["qm_rating"] == [("silver/dim_providers", "qm_rating")]
    assert "hprd_total" not in measures


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


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(snapshot(build_defs(Settings(home="nowhere"))), indent=1) + "\n")
