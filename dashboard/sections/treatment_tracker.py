"""Whether what each step from the treatment system on got is what it made, as the last run has counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from dashboard import few, words
from dashboard.page import Column, Figure, Proof
from nh_pipeline.marts.treatments.steps import STEPS

if TYPE_CHECKING:
    from dashboard.asking import Ask
    from dashboard.page import Page

SOURCE = "treatments_gold.etl_tracker"
MOST = 20
"""Runs that are listed."""

_STATUSES = {"SUCCESS": "Built anew", "UNCHANGED": "As before", "FAILED": "Withheld by the gate"}
_ORDER = [step.destination for step in STEPS]


def steps(page: Page, ask: Ask) -> None:
    """The steps of the last run: those that do not reconcile first, then as they are built."""
    rows = ask(
        "select destination_table, status, source_count, destination_count, explained_count, "
        "reconciliation_status, told, created_at from treatments_gold.etl_tracker "
        "where created_at = (select max(created_at) from treatments_gold.etl_tracker)"
    )
    page.section(
        "Does it reconcile?",
        "For each step: what is at its source must be at its destination, or have another place that is told: refused, "
        "superseded or deleted (-1 is the member of a dimension that stands for none). Each number is counted where "
        "it is.",
    )
    if rows.empty:
        page.nothing("No run has counted yet: the steps are told at the end of `nh run FOLDER`.")
        return
    same, changed, withheld = (
        int((rows[column] == value).sum())
        for column, value in (("reconciliation_status", "MATCH"), ("status", "SUCCESS"), ("status", "FAILED"))
    )
    of = f"{words.count(len(rows), 'step')} · run of {_told(rows['created_at']).iloc[0]}"
    apart = len(rows) - same
    page.figures(
        [
            Figure("Steps that match", f"{same:,}", of, proof=Proof("look below" if apart else "all match", not apart)),
            Figure("Steps that do not", f"{apart:,}", of),
            Figure("Tables built anew", f"{changed:,}", f"against the run before · {of}"),
            Figure("Tables withheld", f"{withheld:,}", f"by the gate: they are as they were · {of}"),
        ]
    )
    rows = rows.assign(
        apart=rows["source_count"] - rows["destination_count"] - rows["explained_count"],
        matches=rows["reconciliation_status"].map({"MATCH": "Match", "MISMATCH": "Mismatch"}),
        became=rows["status"].map(_STATUSES),
        order=rows["destination_table"].map({name: n for n, name in enumerate(_ORDER)}),
    ).sort_values(["matches", "order"], ascending=[False, True])
    counts = {name: rows[name].map(few.count) for name in ("source_count", "destination_count")}
    page.table(
        rows.assign(**counts),
        {
            "matches": Column("Counts"),
            "destination_table": Column("Table"),
            "source_count": Column("Source", "people"),
            "destination_count": Column("Destination", "people"),
            "explained_count": Column("Another place", "count", "Refused, superseded or deleted; below 0: added"),
            "apart": Column("Missing", "count", "At the source, and nowhere else; below 0: too many"),
            "became": Column("Table is"),
            "told": Column("What is counted"),
        },
        name="steps-of-treatments",
        source=f"{SOURCE} · {of} · {few.FEW}: fewer than {few.FEWEST}",
    )


def runs(page: Page, ask: Ask) -> None:
    """The last runs, the newest first."""
    rows = ask(
        "select created_at, run_id, count(*) as steps, "
        "count(case when reconciliation_status = 'MATCH' then 1 end) as same, "
        "count(case when reconciliation_status = 'MISMATCH' then 1 end) as apart, "
        "count(case when status = 'SUCCESS' then 1 end) as changed, "
        "count(case when status = 'FAILED' then 1 end) as withheld "
        f"from treatments_gold.etl_tracker group by 1, 2 order by 1 desc, 2 limit {MOST}"
    )
    if rows.empty:
        return
    page.section("Run by run", f"The last {MOST}, at most.")
    page.table(
        rows.assign(at=_told(rows["created_at"])),
        {
            "at": Column("Counted at"),
            "run_id": Column("Run"),
            "steps": Column("Steps", "count"),
            "same": Column("Match", "count"),
            "apart": Column("Mismatch", "count"),
            "changed": Column("Built anew", "count"),
            "withheld": Column("Withheld", "count"),
        },
        name="runs-of-treatments",
        source=f"{SOURCE} · {words.count(len(rows), 'run')}",
    )


def _told(at: pd.Series) -> pd.Series:
    """Instants as they are read; Athena has them as texts."""
    return pd.to_datetime(at, utc=True).map(lambda t: f"{words.day(t)}, {t:%H:%M} UTC")
