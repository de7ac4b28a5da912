"""``nh demo``: the main job on generated deliveries, and a summary that proves it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from nh_pipeline.contracts import ALL
from nh_pipeline.lake.lake import Lake
from nh_pipeline.query import connect
from nh_pipeline.sample import Deliveries

if TYPE_CHECKING:
    from rich.console import Console

    from nh_pipeline.landing.zone import RawZone
    from nh_pipeline.settings import Settings

PLAN = Deliveries(facilities=300, quarters=("2024Q1", "2024Q2"), releases=6, seed=7, quirks=True, days=None)
"""What the demo generates: small enough for seconds, with every quirk."""

_RECONCILED = """
    with recomputed as (
        select provider_id, cy_qtr, sum(total_hours) / sum(census) as hprd
        from silver.fct_staffing_levels where census > 0 group by all),
    published as (
        select upper(trim(provider_id)) as provider_id, coverage as release,
               try_cast(reported_total_hprd as double) as hprd
        from bronze.providers_raw where reported_total_hprd is not null),
    compared as (
        select release, cy_qtr, count(*) as facilities, count(*) filter (abs(r.hprd - p.hprd) < 1e-5) as equal
        from published p join recomputed r using (provider_id) group by all)
    select release, cy_qtr, facilities, equal from compared order by equal / facilities desc, release desc limit 1
"""
"""Which quarter a release reports is not in the release: the one whose recomputed values fit best is shown."""


def deliveries(settings: Settings) -> Path:
    """Where the demo's deliveries are generated."""
    return Path(settings.home) / "demo-deliveries"


def foreign(zone: RawZone, folder: Path) -> list[str]:
    """Names of landed files that the demo did not generate: it must not be mixed with real data."""
    own = {p.name for p in folder.glob("*")}
    return [d.manifest.name for d in zone.deliveries() if d.manifest.name not in own]


def summary(console: Console, settings: Settings) -> None:
    """Prints tables, rows, one reconciled figure and where to look next."""
    lake = Lake(settings.home, settings.catalog_properties)
    tables = Table("table", "rows", "one row per", title="\nWhat is in the lake now", title_justify="left")
    for contract in ALL:
        tables.add_row(contract.name, f"{lake.pin(contract).rows:,}", ", ".join(contract.grain))
    console.print(tables)
    with connect(lake) as db:
        found = db.execute(_RECONCILED).fetchone()
        national = db.execute(
            "select sum(total_hours) / sum(census), sum(contract_hours) / sum(total_hours), "
            "count(distinct provider_id) from gold.facility_measures where census > 0"
        ).fetchone()
    if national:
        console.print(
            f"{national[2]} nursing homes, {national[0]:.2f} nurse hours per resident day, "
            f"{national[1]:.1%} of them by contract staff",
            highlight=False,
        )
    if found:
        release, quarter, facilities, equal = found
        console.print(
            f"Reconciled: hours per resident day recomputed from the daily rows of {quarter} equal what the release of "
            f"{release} reports for {equal} of {facilities} nursing homes (within 0.00001)",
            highlight=False,
        )
    console.print(
        "\nAll of this is generated data, not CMS's. Look next:\n"
        "  make ui                                  the asset graph, runs and checks (http://127.0.0.1:3000)\n"
        '  .venv/bin/nh query "select * from gold.facility_measures limit 5"\n'
        "  .venv/bin/nh status                      deliveries, tables, checks\n"
        "  .venv/bin/nh run FOLDER                  your own CMS files (set NH_HOME to another folder first)",
        highlight=False,
    )
