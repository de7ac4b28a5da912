"""``nh demo``: the main job on generated deliveries, and a summary that proves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.cli.show import plain_table
from nh_pipeline.lake.lake import Lake
from nh_pipeline.queries.duck import connect
from nh_pipeline.sample import Deliveries
from nh_pipeline.tables import tables

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console

    from nh_pipeline.landing.zone import RawZone
    from nh_pipeline.pipeline.status import CheckStatus
    from nh_pipeline.settings import Settings

PLAN = Deliveries(
    facilities=300, quarters=("2024Q1", "2024Q2"), releases=6, seed=7, quirks=True, days=None, full_from=4
)
"""What the demo generates: small enough for seconds, with every quirk, and every file in the last two releases."""

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

_NEXT = """
All of this is generated data, not CMS's. Look next:
  make ui                     the asset graph, runs, checks (127.0.0.1:3000)
  .venv/bin/nh status         deliveries, tables, checks
  .venv/bin/nh query "select * from gold.facility_measures"
  .venv/bin/nh run FOLDER     your own CMS files (in another NH_HOME)"""


def deliveries(settings: Settings) -> Path:
    """Where the demo's deliveries are generated."""
    return settings.folder / "demo-deliveries"


def foreign(zone: RawZone, folder: Path) -> list[str]:
    """Names of landed files that the demo did not generate: it must not be mixed with real data."""
    own = {p.name for p in folder.glob("*")}
    return [d.manifest.name for d in zone.deliveries() if d.manifest.name not in own]


def summary(console: Console, settings: Settings, checks: Sequence[CheckStatus]) -> None:
    """Prints tables, checks, one reconciled figure and where to look next."""
    lake = Lake(settings.home, settings.catalog_properties)
    shown = plain_table("table", "rows", "one row per", right="rows")
    for table in tables():
        shown.add_row(table.name, f"{lake.snapshot(table).rows:,}", ", ".join(table.grain))
    console.print()
    console.print(shown)
    console.print()
    warned = ", ".join(f"{c.check} ({c.found:,})" for c in checks if not c.passed)
    passed = sum(c.passed for c in checks)
    lines = [f"Checks: {passed} of {len(checks)} pass" + (f"; warnings: {warned}" if warned else "")]
    with connect(lake) as db:
        found = db.execute(_RECONCILED).fetchone()
        national = db.execute(
            "select sum(total_hours) / sum(census), sum(contract_hours) / sum(total_hours), "
            "count(distinct provider_id) from gold.facility_measures where census > 0"
        ).fetchone()
    if national:
        lines.append(
            f"Staffing: {national[0]:.2f} nurse hours per resident day in {national[2]} nursing homes, "
            f"{national[1]:.1%} by contract staff"
        )
    if found:
        release, quarter, facilities, equal = found
        lines.append(
            f"Reconciled: hours per resident day, recomputed from the daily rows of {quarter}, equal what the release "
            f"of {release} reports for {equal} of {facilities} nursing homes (within 0.00001)"
        )
    console.print("\n".join(lines))
    console.print(_NEXT)
