"""How good own records are: what was delivered and refused, what the tables hold, which references lead nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard import few, words
from dashboard.page import Column, Figure, Proof

if TYPE_CHECKING:
    from dashboard.asking import Ask
    from dashboard.page import Page

SOURCE = "clinical_gold.data_quality"
_FOUND = ("rows_in", "rows_out", "refused", "duplicates")


def deliveries(page: Page, ask: Ask) -> None:
    """Exports: lines in, resources kept, refused and twice, and whether they count."""
    sums = ", ".join(f"cast(sum(case when measure = '{m}' then found end) as bigint) as {m}" for m in _FOUND)
    rows = ask(
        f"select part, max(coverage) as coverage, {sums}, max(case when measure = 'counts' then told end) as told, "
        "cast(max(case when measure = 'counts' and not passed then 1 else 0 end) as bigint) as held "
        "from clinical_gold.data_quality where table_name = 'clinical_bronze.resource' and part in "
        "(select part from clinical_gold.data_quality where measure = 'counts') group by 1 order by 2 desc, 7"
    )
    page.section(
        "What was delivered?",
        "Counts of lines and resources, not of people. A line that is no resource is refused and kept apart; an export "
        "that is cut off, or has many such lines, is held as a whole.",
    )
    if rows.empty:
        page.nothing("No export is in the tables yet: their quality is told at the end of `nh run FOLDER`.")
        return
    rows[list(_FOUND)] = rows[list(_FOUND)].fillna(0)
    total, held = rows[list(_FOUND)].sum(), int(rows["held"].sum())
    of = f"{words.count(len(rows), 'file')} · {SOURCE}"
    page.figures(
        [
            Figure("Lines delivered", words.number(total["rows_in"], 0), of),
            Figure("Refused", words.number(total["refused"], 0), of),
            Figure(
                "Delivered twice", words.number(total["duplicates"], 0), f"the same resource again in a file · {of}"
            ),
            Figure(
                "Files held",
                words.number(held, 0),
                of,
                proof=Proof("all count" if not held else "look below", not held),
            ),
        ]
    )
    page.table(
        rows,
        {
            "coverage": Column("Day of export"),
            "told": Column("What became of it"),
            "rows_in": Column("Lines", "count"),
            "rows_out": Column("Resources kept", "count"),
            "refused": Column("Refused", "count"),
            "duplicates": Column("Twice", "count"),
            "part": Column("Checksum (md5)"),
        },
        name="exports",
        source=of,
    )


def tables(page: Page, ask: Ask) -> None:
    """Rows of each table, and what its checks found."""
    rows = ask(
        "select table_name, cast(sum(case when measure = 'rows_out' then found end) as bigint) as row_count, "
        "cast(sum(case when measure = 'check' then 1 else 0 end) as bigint) as checks, "
        "cast(sum(case when measure = 'check' and not passed then 1 else 0 end) as bigint) as warn, "
        "cast(sum(case when measure = 'withheld' then 1 else 0 end) as bigint) as withheld, "
        "max(case when measure in ('check', 'withheld') and not passed then subject end) as rule "
        "from clinical_gold.data_quality where table_name <> 'clinical_bronze.resource' group by 1 order by 1"
    )
    rows = rows[rows["row_count"].notna() | (rows["warn"] + rows["withheld"] > 0)]
    if rows.empty:
        return
    page.section("What do the tables hold?", "Rows, and what the checks found before a table was published.")
    page.table(
        rows.assign(row_count=rows["row_count"].map(few.count)),
        {
            "table_name": Column("Table"),
            "row_count": Column("Rows", "people"),
            "checks": Column("Checks", "count"),
            "warn": Column("That warn", "count"),
            "rule": Column("Rule that warns, such as"),
            "withheld": Column("Builds refused", "count"),
        },
        name="tables-of-records",
        source=f"{words.count(len(rows), 'table')} · {SOURCE}",
    )


def unresolved(page: Page, ask: Ask) -> None:
    """References that lead to no resource, by where they are and why."""
    rows = ask(
        "select resource_type, path, reason, count(*) as n from clinical_silver.unresolved_references "
        "group by 1, 2, 3 order by n desc, 1, 2, 3"
    )
    page.section(
        "References that lead nowhere",
        "Such as a clinician of an encounter who was not delivered. What is missing may come with a later export.",
    )
    if rows.empty:
        page.text("None is known.")
        return
    page.table(
        rows.assign(n=rows["n"].map(few.count)),
        {
            "resource_type": Column("Of"),
            "path": Column("Reference"),
            "reason": Column("Why"),
            "n": Column("References", "people"),
        },
        name="unresolved-references",
        source=f"{few.count(rows['n'].sum())} references · clinical_silver.unresolved_references",
    )
