"""The Dagster UI in a browser: what people see of assets, range runs, checks and a refused gate."""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg
import pytest

from nh_pipeline.datasets.cms.providers import DIM_PROVIDERS
from nh_pipeline.marts.facility_month import FACILITY_MONTH
from nh_pipeline.sample import Correction, Deliveries
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.local import Nh, serving

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

CHROMIUM = Path(os.environ.get("NH_CHROMIUM", "/usr/bin/chromium"))
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}: set NH_CHROMIUM"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

DAYS = ("--from", "2024-04-01", "--to", "2024-04-03")
PLAN = Deliveries(20, ("2024Q2",), releases=1, days=3)
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


def published(nh):
    """Snapshots of the tables that a gate protects from the delivery."""
    counts = chain.snapshots(nh.lake)
    return {name: counts.get(name) for name in ("silver.fct_staffing_levels", "gold.facility_measures")}


@pytest.fixture(scope="module")
def nh(tmp_path_factory):
    """A small lake."""
    nh = Nh(tmp_path_factory.mktemp("browser") / "lake")
    drop = nh.home.parent / "drop"
    PLAN.write(drop)
    nh("ingest", *(p for p in drop.iterdir() if p.name.startswith(("PBJ_", "NH_ProviderInfo_"))))
    nh("materialize", "--select", "*/providers*")
    nh("materialize", "--select", "silver/dim_providers, silver/dim_date")
    nh("materialize", *DAYS)
    return nh


@pytest.fixture(scope="module")
def server(nh):
    with serving(nh.home) as server:
        yield server


@pytest.fixture(scope="module")
def page(server):
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1600, "height": 1000}, base_url=server.url)
        page.set_default_timeout(60_000)
        yield page
        browser.close()


def shows(page, *texts):
    for text in texts:
        page.get_by_text(text).filter(visible=True).first.wait_for()


def test_the_asset_graph(page):
    page.goto("/asset-groups")
    shows(page, "raw", "bronze", "silver", "gold")
    for table in (DIM_PROVIDERS, FACILITY_MONTH):  # expanded, the graph is too large to show every name
        page.goto(f"/assets/{table.name.replace('.', '/')}")
        shows(page, table.description, table.columns[0].name)


def test_the_page_of_a_check(page):
    page.goto("/assets/silver/fct_staffing_levels?view=checks&checkDetail=known_provider_id")
    shows(page, "Every provider_id is in silver.dim_providers", "failed_rows", "what_to_do", "rows")


_LAUNCH = """mutation($p: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $p) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""


def test_a_range_is_one_run(page, server, nh):
    before, days = published(nh), [f"2024-04-{day:02d}" for day in range(1, 4)]
    daily = ["raw/daily_nurse_staffing", "bronze/daily_nurse_staffing_raw"]
    daily += ["silver/fct_staffing_levels", "gold/facility_measures"]
    selection = [{"path": key.split("/")} for key in daily]
    launched = server.graphql(_LAUNCH, p={"assetSelection": selection, "partitionNames": days, "tags": []})
    backfill = launched["launchPartitionBackfill"]["backfillId"]

    def of_backfill():
        return [r for r in nh.runs() if r.tags.get("dagster/backfill") == backfill]

    server.wait(lambda: of_backfill() and all(r.is_finished for r in of_backfill()), "the run is over")
    (run,) = of_backfill()
    assert run.is_success
    assert run.tags["dagster/asset_partition_range_start"] == days[0]
    assert run.tags["dagster/asset_partition_range_end"] == days[-1]
    assert published(nh) == before  # nothing was new
    page.goto(f"/runs/{run.run_id}")
    shows(page, "Success", "4 assets")
    page.goto("/assets/gold/facility_measures?view=partitions&partition=2024-04-02")
    shows(page, "dagster/partition_row_count", run.run_id[:8])


def test_a_refused_gate(page, nh, monkeypatch):
    nh("materialize")  # the other days of gold, and the marts
    before = published(nh)
    monkeypatch.setattr(
        "nh_pipeline.pipeline.guards._held", lambda *_, **__: ""
    )  # as if nothing guarded the deliveries
    fix = Correction(drop_facilities=8, changed_facilities=0)
    nh("ingest", PLAN.corrected(nh.home.parent / "corrected", "2024Q2", fix))
    nh("materialize", exits=1)
    (refused,) = (r for r in nh.runs() if r.status is dg.DagsterRunStatus.FAILURE)
    page.goto(f"/runs/{refused.run_id}")
    shows(page, "Failure", "The gate refused what was staged, the table is as it was", "rows_kept")
    page.goto("/assets/silver/fct_staffing_levels?view=checks&checkDetail=rows_kept")
    shows(page, "No build takes all rows, or a large share of them, away", "Failed", "what_to_do")
    assert published(nh) == before
