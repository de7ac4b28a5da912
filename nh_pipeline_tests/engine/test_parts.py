"""A run over several quarters or deliveries of which one fails: what was published is recorded, the rest named."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from nh_pipeline.datasets.cms.daily_nurse_staffing import FCT_STAFFING_LEVELS
from nh_pipeline.datasets.cms.providers import DIM_PROVIDERS
from nh_pipeline.landing.zone import RawZone
from nh_pipeline.marts.facility_measures import FACILITY_MEASURES
from nh_pipeline.pipeline import context as step
from nh_pipeline.pipeline.bronze import ParseDelivery
from nh_pipeline.pipeline.daily import BuildDays
from nh_pipeline.pipeline.gate import CheckResult
from nh_pipeline.pipeline.mart import BuildMart
from nh_pipeline.pipeline.scd2 import BuildHistory
from nh_pipeline.sample import Deliveries
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.declared import BRONZE
from nh_pipeline_tests.support.local import Nh

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PLAN = Deliveries(6, ("2024Q1", "2024Q2", "2024Q3"), releases=3, days=2)
DAILY, FACTS, GOLD = "bronze/daily_nurse_staffing_raw", "silver/fct_staffing_levels", "gold/facility_measures"
SOME_DAYS = ("--from", "2024-03-31", "--to", "2024-07-01")  # of three quarters


@pytest.fixture
def nh(drop, tmp_path):
    nh = Nh(tmp_path / "lake")
    nh("ingest", *(p for p in drop.iterdir() if p.name.startswith(("PBJ_", "NH_ProviderInfo_"))))
    return nh


@pytest.fixture
def refusing(monkeypatch):
    """Makes the gate refuse what a table stages with a text in it."""

    def refusing(contract, text):
        real = step.gate

        def gate(of, staged, *, rows):
            found = real(of, staged, rows=rows)
            if of is contract and text in str(staged.collect()):
                found.append(CheckResult(name="values", passed=False, failed_rows=7, description="odd", advice="look"))
            return found

        monkeypatch.setattr(step, "gate", gate)

    return refusing


def raising(monkeypatch, kind: type[Any], when: Callable[[Any], bool]) -> None:
    real = kind.run

    def run(self, workspace):
        if when(self):
            raise OSError(28, "No space left on device")
        return real(self, workspace)

    monkeypatch.setattr(kind, "run", run)


def recorded(nh, key) -> set[str]:
    with nh.instance as instance:
        return set(instance.get_materialized_partitions(dg.AssetKey(key.split("/"))))


def events_of(nh, key) -> dict[str, dict[str, Any]]:
    with nh.instance as instance:
        found = instance.fetch_materializations(dg.AssetRecordsFilter(dg.AssetKey(key.split("/"))), limit=1000).records
    return {r.partition_key: {k: v.value for k, v in r.asset_materialization.metadata.items()} for r in found}


def days_of(*quarters: int) -> set[str]:
    first = date(2024, 1, 1).toordinal()
    days = (date.fromordinal(first + n) for n in range(274))
    return {day.isoformat() for day in days if (day.month + 2) // 3 in quarters}


def said(result) -> str:
    return " ".join((result.stdout + result.stderr).split())


def asked(nh, assets, *days, exits):
    return said(nh("materialize", "--select", assets, *days, exits=exits))


def test_a_quarter_that_the_gate_refuses(nh, refusing, monkeypatch):
    refusing(FCT_STAFFING_LEVELS, "2024Q2")
    told = asked(nh, f"raw/daily*, bronze/daily*, {FACTS}, {GOLD}", exits=1)
    monkeypatch.undo()
    assert "Published of 3 parts: 2024Q1, 2024Q3. Of the others the table is as it was." in told
    assert "The gate refused 2024Q2. 2024Q2: silver.fct_staffing_levels values, 7 found: odd. What to do: look" in told
    assert "but for the parts that it says were published" in told
    assert recorded(nh, FACTS) == days_of(1, 3)
    assert recorded(nh, DAILY) == days_of(1, 2, 3)
    assert recorded(nh, GOLD) == set()  # nothing downstream ran
    of = events_of(nh, FACTS)
    assert of["2024-01-02"]["dagster/partition_row_count"] == 6
    assert "dagster/partition_row_count" not in of["2024-01-03"]  # the sample has two days of each quarter
    assert {f["rows"] for f in of.values()} == {12}
    assert {f["dagster/row_count"] for f in of.values()} == {24}
    assert (of["2024-01-01"]["changed"], of["2024-09-30"]["changed"]) == ("2024-01", "2024-07")
    assert {f["effective_deliveries"] for f in of.values()} == {1}
    failed = [e for e in _log(nh) if e.event_type is dg.DagsterEventType.STEP_FAILURE]
    assert [e.step_key for e in failed] == ["silver__fct_staffing_levels"]
    # What is missing is built, and what is there is not touched.
    before = chain.snapshots(nh.lake)["silver.fct_staffing_levels"]
    assert "1 run done" in asked(nh, FACTS, exits=0)
    assert chain.snapshots(nh.lake)["silver.fct_staffing_levels"] == before + 1
    assert recorded(nh, FACTS) == days_of(1, 2, 3)
    nh("materialize")
    assert recorded(nh, GOLD) >= {"2024-01-01", "2024-04-02", "2024-07-01"}
    assert nh.lake.snapshot(FACILITY_MEASURES).rows == nh.lake.snapshot(FCT_STAFFING_LEVELS).rows == 36


def _log(nh):
    (run,) = nh.runs()
    with nh.instance as instance:
        return [e.dagster_event for e in instance.all_logs(run.run_id) if e.dagster_event]


def test_a_quarter_that_raises(nh, monkeypatch):
    with monkeypatch.context() as patched:
        raising(patched, BuildDays, lambda s: s.coverage == "2024Q2")
        told = asked(nh, f"raw/daily*, bronze/daily*, {FACTS}, {GOLD}", exits=1)
    assert (
        "Published of 3 parts: 2024Q1. Of the others the table is as it was. Not tried: 2024Q3. 2024Q2 failed: " in told
    )
    assert "2024Q2 failed: OSError: [Errno 28] No space left on device" in told
    assert recorded(nh, FACTS) == days_of(1)
    assert recorded(nh, GOLD) == set()
    assert all(c.passed for c in _checks(nh, FACTS))  # of what was published
    assert {"schema", "grain", "values"} <= {c.check_name for c in _checks(nh, FACTS)}
    nh("materialize")  # finds what is missing
    assert recorded(nh, FACTS) == days_of(1, 2, 3)
    assert recorded(nh, GOLD) >= {"2024-04-01", "2024-07-01"}


def _checks(nh, key):
    return [
        e.asset_check_evaluation_data
        for e in _log(nh)
        if e.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION
        and e.asset_check_evaluation_data.asset_key.to_user_string() == key
    ]


def test_the_first_quarter_raises(nh, monkeypatch):
    raising(monkeypatch, BuildMart, lambda s: s.start == date(2024, 3, 31))
    told = asked(nh, GOLD, *SOME_DAYS, exits=1)
    assert "Nothing was published, the table is as it was. Not tried: 2024Q2, 2024Q3. 2024Q1 failed: OSError: " in told
    assert recorded(nh, GOLD) == set()


def test_a_lake_that_does_not_answer_any_more_is_said(nh, monkeypatch):
    raising(monkeypatch, BuildDays, lambda s: s.coverage == "2024Q2")

    def gone(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("nh_pipeline.orchestration.parts.rows_by_day", gone)
    told = asked(nh, f"raw/daily*, bronze/daily*, {FACTS}", *SOME_DAYS, exits=1)
    assert "The published parts could not be recorded: OSError: [Errno 5] Input/output error. 2024Q2 failed: " in told
    assert "2024Q2 failed: OSError: [Errno 28] No space left on device" in told


def test_bronze_is_worked_delivery_by_delivery(nh, drop, tmp_path, monkeypatch):
    (july,) = (p for p in drop.iterdir() if p.name == "NH_ProviderInfo_Jul2024.csv")
    again = tmp_path / "again" / july.name
    again.parent.mkdir()
    again.write_bytes(b"".join(july.read_bytes().splitlines(keepends=True)[:-1]))
    nh("ingest", again)
    deliveries = _deliveries(nh)
    assert [d.manifest.coverage.key for d in deliveries] == ["2024-07-01", "2024-07-01", "2024-08-01", "2024-09-01"]
    with monkeypatch.context() as patched:
        raising(patched, ParseDelivery, lambda s: s.delivery == deliveries[3].delivery_id)
        told = asked(nh, "*/providers*", exits=1)
    assert "Published of 4 parts: " in told
    assert f"{deliveries[3].manifest.name} failed: OSError" in told
    assert recorded(nh, "bronze/providers_raw") == {"2024-07-01", "2024-08-01"}
    of = events_of(nh, "bronze/providers_raw")
    assert of["2024-07-01"]["rows"] > of["2024-08-01"]["rows"]  # of both deliveries


def test_a_month_of_which_one_delivery_failed_is_not_recorded(nh, drop, tmp_path, refusing):
    """July has two deliveries: its partition is not complete with one of them."""
    (july,) = (p for p in drop.iterdir() if p.name == "NH_ProviderInfo_Jul2024.csv")
    again = tmp_path / july.name
    again.write_bytes(b"".join(july.read_bytes().splitlines(keepends=True)[:-1]))
    nh("ingest", again)
    second = next(d for d in _deliveries(nh) if d.manifest.size == again.stat().st_size)
    refusing(BRONZE["providers"], second.delivery_id)
    told = asked(nh, "*/providers*", exits=1)
    assert "Published of 4 parts: " in told
    assert f"The gate refused {july.name}. {july.name}: bronze.providers_raw values, 7 found" in told
    assert recorded(nh, "bronze/providers_raw") == {"2024-08-01", "2024-09-01"}


def _deliveries(nh):
    return RawZone(nh.lake.storage).deliveries("providers")


def test_a_dimension_is_one_part(nh, monkeypatch, refusing):
    nh("materialize", "--select", "*/providers*")
    with monkeypatch.context() as patched:
        raising(patched, BuildHistory, lambda _: True)
        told = asked(nh, "silver/dim_providers", exits=1)
        assert "No space left on device" in told
        assert "Nothing was published" not in told
    refusing(DIM_PROVIDERS, "")
    told = asked(nh, "silver/dim_providers", exits=1)
    assert "The gate refused what was staged, the table is as it was. silver.dim_providers values, 7 found" in told
    assert nh.lake.snapshot(DIM_PROVIDERS).rows == 0
