"""The warehouse as people see it: ``nh warehouse``, assets and checks of Dagster; and nobody sees its password."""

from __future__ import annotations

import json
import logging
import socket
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

pytest.importorskip("psycopg2", reason="the extra warehouse is not installed")

from nh_pipeline.datasets.dates import DIM_DATE
from nh_pipeline.orchestration.definitions import build_defs
from nh_pipeline.orchestration.runs import selected
from nh_pipeline.settings import Settings
from nh_pipeline.warehouse.address import Address
from nh_pipeline_tests.integration.test_protected import stored
from nh_pipeline_tests.support.local import Nh
from nh_pipeline_tests.support.postgres import postgres
from nh_pipeline_tests.support.warehouse import asked, expected, held, put

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.integration, pytest.mark.every_mart]

PLANTED = "Zephyr%2Fleak"
"""A password, as a URL holds it."""

SHOWN = ("Zephyr", "leak")


def days(number: int) -> list[dict[str, Any]]:
    empty: dict[str, Any] = dict.fromkeys(DIM_DATE.names)
    first = date(2024, 1, 1)
    return [{**empty, "date_id": n, "date": first + timedelta(n), "is_weekend": False} for n in range(number)]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as url:
        if "//nh@/" not in url:
            pytest.skip("it takes a server of its own, which lets in whoever says any password")
        yield url.replace("+psycopg2", "").replace("nh@", f"nh:{PLANTED}@", 1)


@pytest.fixture
def nh(server, tmp_path, monkeypatch) -> Iterator[Nh]:
    """A lake with the calendar of ten days, and an empty warehouse."""
    monkeypatch.setenv("NH_WAREHOUSE_URL", server)
    monkeypatch.setenv("NH_WAREHOUSE_TABLES", "silver.dim_date, gold.peers")
    found = Nh(tmp_path / "lake")
    put(found.lake, days(10), DIM_DATE)
    yield found
    asked(Address.of(server), "drop schema if exists nh, silver, gold cascade")


def run(nh: Nh) -> dg.ExecuteInProcessResult:
    with nh.instance as instance:
        job = build_defs(Settings(home=str(nh.home))).resolve_job_def("warehouse")
        return job.execute_in_process(instance=instance, raise_on_error=False)


def lines(text: str) -> list[str]:
    """Of a table as it is printed, without its header."""
    return [" ".join(line.split()) for line in text.splitlines()[1:]]


def test_load_and_check(nh, server):
    assert lines(nh("warehouse", "check", exits=1).stdout) == ["silver.dim_date 10 not there", "gold.peers 0 not there"]
    assert lines(nh("warehouse", "load").stdout) == ["silver.dim_date 10 10 loaded", "gold.peers 0 0 loaded"]
    assert held(Address.of(server), DIM_DATE) == expected(nh.lake, DIM_DATE)
    assert lines(nh("warehouse", "load").stdout) == ["silver.dim_date 10 10 equal", "gold.peers 0 0 equal"]
    put(nh.lake, days(12), DIM_DATE)
    name = "silver.dim_date"
    assert lines(nh("warehouse", "check", name, exits=1).stdout) == [f"{name} 12 10 another snapshot"]
    assert lines(nh("warehouse", "load", "silver.*d?m_date").stdout) == [f"{name} 12 12 loaded"]
    asked(Address.of(server), "delete from silver.dim_date where date_id = 3")
    assert lines(nh("warehouse", "check", name, exits=1).stdout) == [f"{name} 12 11 other rows"]


def test_a_table_that_fails_does_not_keep_the_others_back(nh, server):
    asked(Address.of(server), "create schema silver; create table silver.dim_date (a int)")
    found = nh("warehouse", "load", exits=1)
    assert lines(found.stdout) == ["gold.peers 0 0 loaded"]
    assert "was not loaded from a lake" in " ".join(found.stderr.split())


def test_wrong_usage(nh, monkeypatch):
    assert "no table has such a name" in nh("warehouse", "load", "nowhere.*", exits=2).stderr
    monkeypatch.delenv("NH_WAREHOUSE_URL")
    assert "NH_WAREHOUSE_URL is not set" in nh("warehouse", "check", exits=2).stderr


def test_a_prefix_of_the_databases_is_one_there_too(nh, server, monkeypatch):
    monkeypatch.setenv("NH_DATABASE_PREFIX", "dev_")
    nh("warehouse", "load", "silver.dim_date")  # of the lake with the prefix, which has no such table yet
    assert asked(Address.of(server), "select count(*) from dev_silver.dim_date") == [(0,)]
    asked(Address.of(server), "drop schema dev_silver cascade")


def test_assets_load_and_their_checks_compare(nh):
    result = run(nh)
    assert result.success
    (event,) = result.asset_materializations_for_node("warehouse__silver__dim_date")
    known = {"dagster/row_count": 10, "rows_in_lake": 10, "changed": "all"}
    assert {key: event.metadata[key].value for key in known} == known
    assert event.metadata["snapshot_id"].value == str(nh.lake.snapshot(DIM_DATE).snapshot_id)
    checks = {c.asset_key.path[-1]: c for c in result.get_asset_check_evaluations()}
    assert {name: check.passed for name, check in checks.items()} == {"dim_date": True, "peers": True}
    assert {k: m.value for k, m in checks["dim_date"].metadata.items()} == {"rows_in_lake": 10, "rows_in_warehouse": 10}
    (again,) = run(nh).asset_materializations_for_node("warehouse__silver__dim_date")
    assert again.metadata["changed"].value == "nothing"
    kept = [c for c in json.loads(nh("status", "--json").stdout)["checks"] if c["check"] == "as_in_lake"]
    assert [(c["asset"], c["passed"]) for c in kept] == [
        ("warehouse/gold/peers", True),
        ("warehouse/silver/dim_date", True),
    ]


def test_the_graph_has_them_where_there_is_a_warehouse_and_after_their_tables(nh, monkeypatch):
    def copies() -> dict[str, list[str]]:
        graph = build_defs(Settings(home=str(nh.home))).resolve_asset_graph()
        keys = [key for key in graph.get_all_asset_keys() if key.path[0] == "warehouse"]
        assert {graph.get(key).group_name for key in keys} <= {"warehouse"}
        return {key.to_user_string(): [p.to_user_string() for p in graph.get(key).parent_keys] for key in keys}

    assert copies() == {
        "warehouse/silver/dim_date": ["silver/dim_date"],
        "warehouse/gold/peers": ["gold/peers"],
    }
    (last,) = selected(Settings(home=str(nh.home)), ["warehouse/*"], None, None)
    assert {key.to_user_string() for key in last.assets} == set(copies())
    monkeypatch.delenv("NH_WAREHOUSE_URL")
    assert copies() == {}


def test_a_copy_follows_when_its_table_was_published(nh):
    defs, asked_for = build_defs(Settings(home=str(nh.home))), []
    (sensor,) = (s for s in defs.sensors or () if s.name == "warehouse_follows")
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    with nh.instance as instance:
        cursor = None
        for published in ([], ["silver/dim_date"], [], ["silver/dim_date", "gold/peers"]):
            for key in published:
                month = "2024-01-01" if key == "gold/peers" else None
                instance.report_runless_asset_event(dg.AssetMaterialization(key.split("/"), partition=month))
            found = dg.evaluate_automation_conditions(defs, instance, sensor.asset_selection, cursor=cursor)
            cursor = found.cursor
            asked_for.append([key for key in ("silver/dim_date", "gold/peers") if _asked(found, key)])
    assert asked_for == [[], ["silver/dim_date"], [], ["silver/dim_date", "gold/peers"]]


def _asked(found: dg.EvaluateAutomationConditionsResult, table: str) -> int:
    return found.get_num_requested(dg.AssetKey(["warehouse", *table.split("/")]))


# The password


def seen(nh: Nh, *texts: str) -> set[str]:
    """Where parts of the password are."""
    found = {f"told: {text}" for text in texts if any(part in text for part in SHOWN)}
    return found | {name for name, text in stored(nh.home) if any(part in text for part in SHOWN)}


def test_the_password_is_nowhere_when_all_is_well(nh, server, caplog):
    caplog.set_level(logging.DEBUG)
    said = [nh("warehouse", "load").output, nh("warehouse", "check").output]
    result = run(nh)
    assert result.success
    said += [nh("status").output, nh("status", "--json").output, caplog.text]
    with nh.instance as instance:
        said += [str(entry) for entry in instance.all_logs(result.run_id)]
    resource = (build_defs(Settings(home=str(nh.home))).resources or {})["warehouse"]
    said += [repr(resource), str(resource), repr(Settings(home=str(nh.home))), repr(Address.of(server))]
    assert seen(nh, *said) == set()
    assert asked(Address.of(server), "select count(*) from nh.loads") == [(2,)]
    assert not any(part in str(asked(Address.of(server), "select * from nh.loads")) for part in SHOWN)


@pytest.fixture(params=["nobody listens", "no such database", "no such option", "no such user", "a refusal"])
def broken(request, server, nh, monkeypatch) -> Iterator[str]:
    """A warehouse that cannot be used."""
    port = _closed_port()
    url, says = {
        "nobody listens": (f"postgresql://nh:{PLANTED}@127.0.0.1:{port}/nh", "does not answer"),
        "no such database": (server.replace("/postgres?", "/nowhere?"), '"nowhere" does not exist'),
        "no such option": (f"{server}&sslfoot={PLANTED}", "invalid connection option"),
        "no such user": (server.replace("//nh:", "//nobody:"), '"nobody" does not exist'),
        "a refusal": (server, "permission denied"),
    }[request.param]
    if request.param == "a refusal":
        asked(Address.of(server), "create role guest login")
        url = server.replace("//nh:", "//guest:")
    monkeypatch.setenv("NH_WAREHOUSE_URL", url)
    yield says
    asked(Address.of(server), "drop role if exists guest")


def _closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_the_password_is_nowhere_when_something_fails(nh, broken, caplog):
    caplog.set_level(logging.DEBUG)
    found = nh("warehouse", "load", exits=1)
    assert broken in " ".join(found.stderr.split())
    result = run(nh)
    assert not result.success
    with nh.instance as instance:
        logged = [str(entry) for entry in instance.all_logs(result.run_id)]
    assert any(broken in entry for entry in logged)
    assert seen(nh, found.output, caplog.text, *logged) == set()


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://nh:{PLANTED}@host/nh",
        f"postgresql://nh:{PLANTED}@host:port/nh",
        f"postgresql://nh:{PLANTED}@host",
        f"redshift://nh:{PLANTED}@host/nh",
        f"nh:{PLANTED}@host",
    ],
)
def test_the_password_is_not_in_what_is_said_of_a_wrong_address(nh, url, monkeypatch):
    monkeypatch.setenv("NH_WAREHOUSE_URL", url)
    told = nh("warehouse", "load", exits=2).output
    assert "NH_WAREHOUSE_URL" in told
    assert not any(part in told for part in SHOWN)
