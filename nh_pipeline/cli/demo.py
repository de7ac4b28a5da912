"""``nh demo``: the main job on generated deliveries, and a summary that proves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nh_pipeline.cli.show import plain_table
from nh_pipeline.domains import PROTECTED, selected
from nh_pipeline.lake.lake import Lake
from nh_pipeline.marts.clinical.facility_outcomes import FACILITY_OUTCOMES
from nh_pipeline.marts.reconciliation.mart import FIGURES, SUMMARY
from nh_pipeline.marts.treatments.provider_success_rate_rank import PROVIDER_SUCCESS_RATE_RANK
from nh_pipeline.queries.duck import connect
from nh_pipeline.sample import Deliveries
from nh_pipeline.sample.clinical import write_clinical
from nh_pipeline.sample.treatments import write_treatments
from nh_pipeline.sample.treatments.dynalite import missing
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
  make dashboard              staffing, quality, own records (127.0.0.1:8501)
  make ui                     the asset graph, runs, checks (127.0.0.1:3000)
  .venv/bin/nh status         deliveries, tables, checks
  .venv/bin/nh query "select * from gold.facility_measures"
  .venv/bin/nh run FOLDER     your own CMS files (in another NH_HOME)"""


RESIDENTS, HOMES = 600, 4
"""Of a chain whose own records the demo generates, so many that a month of a home has figures that may be shown."""

_OWN = """
    select provider_name, sum(o.snf_admissions), avg(o.own_rehospitalization_rate), max(o.rehospitalization_521) / 100,
        max(o.months_behind)
    from gold.facility_outcomes o join silver.dim_providers p using (provider_id)
    where p.is_current and o.own_rehospitalization_rate is not null
    group by all order by 2 desc, 1
"""
"""Own rates of homes in months that have one, beside CMS's measure of the same."""

_TREATED = """
    with steps as (select * from treatments_gold.etl_tracker qualify created_at = max(created_at) over ())
    select sum(total_treatments), sum(decided), sum(successes) / sum(decided),
        (select count(*) filter (reconciliation_status = 'MATCH') from steps), (select count(*) from steps)
    from treatments_gold.provider_success_rate_rank
"""
"""Treatments, how many of those that are decided succeeded, and steps of the last run whose counts agree."""


def deliveries(settings: Settings) -> Path:
    """Where the demo's deliveries are generated."""
    return settings.folder / "demo-deliveries"


def write(folder: Path) -> int:
    """Generates the deliveries: CMS's and, of domains that are known, a chain's own; how many files.

    Treatments are scanned from a table of DynamoDB where a server of it is installed.
    """
    written = len(PLAN.write(folder))
    if "clinical" in selected():
        write_clinical(folder / "clinical", cms=PLAN, patients=RESIDENTS, homes=HOMES, zipped=True)
    if "treatments" in selected():
        write_treatments(folder / "treatments", cms=PLAN, served=not missing())
    return written + sum(len(list((folder / domain).rglob("*.zip"))) for domain in PROTECTED)


def foreign(zone: RawZone, folder: Path) -> list[str]:
    """Names of landed files that the demo did not generate: it must not be mixed with real data."""
    own = {p.relative_to(folder).as_posix() for p in folder.rglob("*")}
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
        own = db.execute(_OWN).fetchall() if FACILITY_OUTCOMES in gold() else []
        treated = db.execute(_TREATED).fetchone() if PROVIDER_SUCCESS_RATE_RANK in gold() else None
    if national:
        console.print(
            f"Staffing: {national[0]:.2f} nurse hours per resident day in {national[2]} nursing homes, "
            f"{national[1]:.1%} by contract staff"
        )
    if verdicts:
        console.print("\nReconciled: figures of the newest releases, beside the same ones recomputed from the files")
        console.print(_reconciled(verdicts))
    if own:
        console.print("\nRehospitalized within 30 days: a chain's own rate by home, beside CMS's measure 521")
        console.print(_beside(own))
    if treated:
        total, decided, rate, same, steps = treated
        console.print(
            f"\nTreatments: {total:,}, of {decided:,} decided {rate:.1%} succeeded; counts agree in {same} of {steps} "
            "steps from the treatment system to the last table"
        )
    console.print(_NEXT)


def _beside(rates: Iterable[tuple[Any, ...]]) -> Table:
    """Own rates beside CMS's."""
    shown = plain_table("home", "admissions", "own rate", "CMS's", "months behind", right="admissions own rate CMS's")
    for home, admissions, own, cms, behind in rates:
        told = "" if cms is None else f"{cms:.1%}"
        shown.add_row(home, f"{admissions:,}", f"{own:.1%}", told, "" if behind is None else f"{behind}")
    return shown


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
