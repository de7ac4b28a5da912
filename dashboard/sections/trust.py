"""What the tables are made of: what was checked, what was delivered, what is late and what was left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from dashboard import words
from dashboard.page import Column, Figure, Proof
from nh_pipeline.datasets import with_tables
from nh_pipeline.tables import tables

if TYPE_CHECKING:
    from datetime import date

    from dashboard.asking import Ask
    from dashboard.page import Page

_LOOKED_AT = {
    "check": "Rule that warns",
    "counts": "Whether the file counts",
    "duplicates": "Lines with the same key",
    "unchanged_since": "Whether the release is new",
    "withheld": "Build that was refused",
}
"""Measures of ``gold.data_quality`` that can say no."""

_TITLES = {table.name: d.title for d in with_tables() for table in (d.bronze, *d.silver)}
_FILES = {d.name: d.title for d in with_tables()}


def quality(page: Page, ask: Ask) -> None:
    """What the checks found in the tables as they are."""
    page.section(
        "Were the tables checked?",
        "Before a table is published, its rules run on it: keys, ranges, sums. Rules that block keep a bad table out; "
        "rules that warn are listed here with what they found. Implausible values are kept, and marked.",
    )
    counts = ask(
        "select count(*) as n, sum(case when passed then 1 else 0 end) as passed, count(distinct table_name) as tables "
        "from gold.data_quality where measure = 'check'"
    ).iloc[0]
    if not counts["n"]:
        page.nothing("No check is recorded yet: the table of data quality is built at the end of `nh run FOLDER`.")
        return
    of = f"{words.count(int(counts['tables']), 'table')} · gold.data_quality"
    n, warn = int(counts["n"]), int(counts["n"] - counts["passed"])
    rows = ask(
        "select table_name, coalesce(coverage, part) as part, measure, subject, found, of_rows, told "
        "from gold.data_quality where not passed order by measure, table_name, 2"
    )
    page.figures(
        [
            Figure("Checks that passed", f"{n - warn:,}", f"of {n:,} · {of}",
                   proof=Proof(f"{warn:,} warn", agrees=not warn)),
            Figure("Releases that repeat the one before", f"{int((rows['measure'] == 'unchanged_since').sum()):,}",
                   "the same content under another date, by delivery and table · gold.data_quality"),
            Figure("Builds that were refused", f"{int((rows['measure'] == 'withheld').sum()):,}",
                   "these tables show what they held before · gold.data_quality"),
        ]
    )  # fmt: skip
    if rows.empty:
        return
    page.table(
        rows.assign(title=_title(rows), measure=rows["measure"].map(_LOOKED_AT), advice=_advice(rows)),
        {
            "title": Column("File or table"),
            "part": Column("Release or part"),
            "measure": Column("What was looked at"),
            "subject": Column("Rule or column"),
            "found": Column("Rows", "count"),
            "of_rows": Column("Of", "count"),
            "advice": Column("What it says"),
        },
        name="not-as-it-should-be",
        source=f"{words.count(len(rows), 'finding')} · gold.data_quality",
    )


def deliveries(page: Page, ask: Ask) -> None:
    """What has landed, and whether it counts."""
    rows = ask(
        """
        select c.table_name, c.coverage, c.part, c.told, c.passed, i.found as lines, u.day as unchanged_since
        from gold.data_quality as c
        left join gold.data_quality as i on i.table_name = c.table_name and i.part = c.part and i.measure = 'rows_in'
        left join gold.data_quality as u on u.table_name = c.table_name and u.part = c.part
            and u.measure = 'unchanged_since' and not u.passed
        where c.measure = 'counts' order by c.coverage desc, c.table_name
        """
    )
    page.section(
        "What has been delivered?",
        "Each file that is here, known by what it holds. A file counts unless a better one of the same release "
        "supersedes it, or it is held because it lacks much of what was there before. `nh status` tells the rest.",
    )
    if rows.empty:
        page.nothing("No delivery is in the tables yet. Land files and run `nh run FOLDER`.")
        return
    away = int((~rows["passed"].astype(bool)).sum())
    page.text(f"{words.count(len(rows), 'file')}; {away:,} of them held, refused or withdrawn.")
    page.table(
        rows.assign(title=_title(rows)),
        {
            "title": Column("CMS file"),
            "coverage": Column("Quarter or release"),
            "lines": Column("Lines", "count"),
            "told": Column("What became of it"),
            "unchanged_since": Column("Same content since", "date"),
            "part": Column("Checksum (md5)"),
        },
        name="deliveries",
        source=f"{words.count(len(rows), 'file')} · gold.data_quality",
    )


def freshness(page: Page, ask: Ask, today: date) -> None:
    """How new each table is, against CMS's rhythm."""
    rows = ask(
        """
        select l.table_name, l.day, l.told, n.newest from gold.data_quality as l
        left join (
            select table_name, max(part) as newest from gold.data_quality
            where measure = 'rows_out' and part <> 'all' group by table_name) as n on n.table_name = l.table_name
        where l.measure = 'late_from' order by l.day, l.table_name
        """
    )
    page.section(
        "How new is it?",
        "CMS publishes staffing each quarter, some months later, and the other files once a month. A table is late if "
        "the next file should have come by now.",
    )
    if rows.empty:
        page.nothing("No file that comes regularly is in the tables yet.")
        return
    rows["title"] = _title(rows)
    rows["state"] = (rows["day"] <= pd.Timestamp(today)).map({True: "late", False: "on time"})
    late = int((rows["state"] == "late").sum())
    page.text(
        f"On {words.day(today)}, {words.count(len(rows) - late, 'table is', 'tables are')} on time and {late:,} late."
    )
    page.table(
        rows,
        {
            "title": Column("CMS file"),
            "table_name": Column("Table"),
            "newest": Column("Newest in it", help="Quarter or release"),
            "state": Column("State"),
            "day": Column("Late from", "date"),
            "told": Column("What it says"),
        },
        name="freshness",
        source=f"{words.count(len(rows), 'table')} · gold.data_quality, {words.day(today)}",
    )


def rejects(page: Page, ask: Ask) -> None:
    """Lines that were refused, by file and reason."""
    rows = ask(
        "select dataset, coverage, file_name, coalesce(column_name, '(line)') as column_name, count(*) as lines, "
        "min(reason) as reason, min(what_to_do) as what_to_do from bronze.rejects "
        "group by 1, 2, 3, 4 order by lines desc, coverage desc, file_name limit 5000"
    )
    page.section(
        "What was left out?",
        "A line whose key or value cannot be read is in no figure. It is kept with its number and the reason.",
    )
    if rows.empty:
        page.text("No line of any file was refused.")
        return
    page.table(
        rows.assign(title=rows["dataset"].map(_FILES).fillna(rows["dataset"])),
        {
            "title": Column("CMS file"),
            "coverage": Column("Quarter or release"),
            "file_name": Column("File"),
            "column_name": Column("Column"),
            "lines": Column("Lines", "count"),
            "reason": Column("Reason, such as"),
            "what_to_do": Column("What to do"),
        },
        name="refused-lines",
        source=f"{words.count(int(rows['lines'].sum()), 'line')} · bronze.rejects",
    )


def _advice(rows: pd.DataFrame) -> list[str]:
    """What a rule that warns is for; else what the row itself tells."""
    advice = {(table.name, rule.name): rule.advice for table in tables() for rule in table.rules}
    keys = zip(rows["table_name"], rows["subject"], rows["told"].fillna(""), strict=True)
    return [advice.get((table, rule), told) for table, rule, told in keys]


def _title(rows: pd.DataFrame) -> pd.Series:
    """What CMS calls the file of each table; our own name of a table that is of several."""
    return rows["table_name"].map(_TITLES).fillna(rows["table_name"])
