"""``nh demo``: the main job on generated deliveries, and a summary that proves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nh_pipeline.cli.show import plain_table
from nh_pipeline.lake.lake import Lake
from nh_pipeline.marts.reconciliation.mart import FIGURES, SUMMARY
from nh_pipeline.queries.duck import connect
from nh_pipeline.sample import Deliveries
from nh_pipeline.tables import bronze, gold, qualities, silver

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table

    from nh_pipeline.landing.zone import RawZone
    from nh_pipeline.pipeline.status import CheckStatus
    from nh_pipeline.settings import Settings

PLAN = Deliveries(
    facilities=300, quarters=("2024Q4", "2025Q1"), releases=4, seed=7, quirks=True, days=None, full_from=2
)
"""What the demo generates: small, with every quirk, and every file in the last two releases. In the last one, of July
2025, CMS changed scores and layouts: so rules for either are exercised."""

_VERDICTS = """
    with newest as (
        select * from gold.reconciliation_summary qualify release = max(release) over (partition by rule))
    select rule, sum(n), sum(equal), sum(rounding), sum(n - equal - rounding - mismatch), sum(mismatch)
    from newest group by rule order by rule
"""
"""How the figures of the newest release that has them compare with those recomputed, by rule."""

_NEXT = """
All of this is generated data, not CMS's. Look next:
  make dashboard              staffing and quality as pages (127.0.0.1:8501)
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
    """Prints the marts, checks, what was reconciled and where to look next."""
    lake = Lake(settings.home, settings.catalog_properties)
    shown = plain_table("table", "rows", "one row per", right="rows")
    for table in (*gold(), *qualities()):
        shown.add_row(table.name, f"{lake.snapshot(table).rows:,}", ", ".join(table.grain))
    console.print()
    console.print(shown)
    console.print(f"and {len((*bronze(), *silver()))} tables of bronze and silver")
    console.print()
    warned = ", ".join(f"{c.check} ({c.found:,})" for c in checks if not c.passed)
    passed = sum(c.passed for c in checks)
    console.print(f"Checks: {passed} of {len(checks)} pass" + (f"; warnings: {warned}" if warned else ""))
    with connect(lake) as db:
        national = db.execute(
            "select sum(total_hours) / sum(census), sum(contract_hours) / sum(total_hours), "
            "count(distinct provider_id) from gold.facility_measures where census > 0"
        ).fetchone()
        verdicts = db.execute(_VERDICTS).fetchall() if lake.snapshot(SUMMARY.table).present else []
    if national:
        console.print(
            f"Staffing: {national[0]:.2f} nurse hours per resident day in {national[2]} nursing homes, "
            f"{national[1]:.1%} by contract staff"
        )
    if verdicts:
        console.print("\nReconciled: figures of the newest releases, beside the same ones recomputed from the files")
        console.print(_reconciled(verdicts))
    console.print(_NEXT)


def _reconciled(verdicts: Iterable[tuple[Any, ...]]) -> Table:
    """The verdicts, by the file that the figures stand in."""
    of_file: dict[str, list[int]] = {}
    for rule, *counts in verdicts:
        file = FIGURES[rule].published.partition(":")[0] if rule in FIGURES else "National constants"
        sums = of_file.setdefault(file, [0] * (1 + len(counts)))
        of_file[file] = [a + b for a, b in zip(sums, [1, *counts], strict=True)]
    numbers = ("rules", "figures", "equal", "rounding", "explained", "mismatch")
    shown = plain_table("file", *numbers, right=" ".join(numbers))
    for file, sums in sorted(of_file.items()):
        shown.add_row(file, *(f"{number:,}" for number in sums))
    return shown
