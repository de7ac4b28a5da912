"""The data dictionary: all declarations as Markdown. A pure function of them.

Run as a module it prints the committed file::

    python -m nh_pipeline.cli.dictionary > docs/data-dictionary.md
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from nh_pipeline import datasets
from nh_pipeline.model.kinds import Bronze, Scd2
from nh_pipeline.model.rules import CCN
from nh_pipeline.tables import tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nh_pipeline.model.columns import Column
    from nh_pipeline.model.dataset import Dataset
    from nh_pipeline.model.table import Table

_INTRODUCTION = """\
# Data dictionary

Generated from the declarations in `nh_pipeline/datasets` and `nh_pipeline/marts`; do not edit. After a change of one:

    python -m nh_pipeline.cli.dictionary > docs/data-dictionary.md

Types are Spark SQL types. *Null* says whether a column may be NULL; the gate refuses to publish a table in which
another column is. *Values* are further rules of the gate on single columns. *Source* is the column of the CMS file;
for bronze, every spelling of it that is recognised: letters and digits decide.
"""

_COVERS = {
    "quarter": "a quarter",
    "release": "a monthly release",
    "fiscal_year": "a fiscal year",
    "undated": "not dated",
}


def dictionary(shown: Sequence[Table] | None = None, files: Iterable[Dataset] | None = None) -> str:
    """Markdown on tables, in the order in which they are given, and CMS files that are recognised; default all."""
    shown, files = tables() if shown is None else shown, datasets.declared() if files is None else files
    contents = "\n".join(f"- [`{t.name}`](#{_anchor(t.name)}): {t.description}" for t in shown)
    sections = [_INTRODUCTION, "## Tables\n\n" + contents + "\n", *map(_table, shown), _files(files)]
    return "\n".join(sections)


def _anchor(title: str) -> str:
    """The anchor that a heading gets: lower case, no punctuation but ``_`` and ``-``, blanks as ``-``."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def _table(table: Table) -> str:
    facts = [
        f"- Grain: {_names(table.grain)}",
        f"- One publish replaces: {table.partitioning.words}",
        f"- Rows of a file are sorted by: {_names(table.sort)}",
    ]
    facts += [f"- `{column}` refers to `{target}` (not enforced: rows with unknown keys are kept)"
              for column, target in table.foreign_keys]  # fmt: skip
    if isinstance(table.kind, Scd2):
        facts.append(f"- A change of any of these starts a version: {_names(table.kind.tracked)}")
        if table.kind.caseless:
            facts.append(f"- Letter case is no change in: {_names(sorted(table.kind.caseless))}")
    if table.caution:
        facts.append(f"- **Caution**: {table.caution}")
    columns = _grid(
        ("column", "type", "null", "unit", "values", "source", "description"),
        [_column(column, last, every_label=isinstance(table.kind, Bronze)) for column, last in _counted(table.columns)],
    )
    parts = [f"## {table.name}", table.description, "\n".join(facts), columns]
    if table.rules:
        rules = [(f"`{r.name}`", "yes" if r.blocking else "no, warns", f"`{r.sql}`", r.advice) for r in table.rules]
        parts += ["Rules across columns:", _grid(("rule", "blocks", "true where right", "if it fails"), rules)]
    return "\n\n".join(parts) + "\n"


def _counted(columns: Iterable[Column]) -> Iterator[tuple[Column, Column]]:
    """The columns; of those that only a number at the end tells apart, the first and the last one."""
    alike: dict[tuple[str, str], list[Column]] = {}
    for column in columns:
        alike.setdefault((re.sub(r"_[0-9]+$", "", column.name), column.description), []).append(column)
    return ((same[0], same[-1]) for same in alike.values())


def _column(column: Column, last: Column, *, every_label: bool) -> tuple[str, ...]:
    return (
        f"`{column.name}`" + (f" to `{last.name}`" if last is not column else ""),
        column.type.sql,
        "yes" if column.nullable else "no",
        column.unit,
        column.allowed.words if column.allowed else "",
        " / ".join(column.labels) if every_label else column.source,
        column.description,
    )


def _files(files: Iterable[Dataset]) -> str:
    rows = [
        (f"`{d.name}`", d.title, _covers(d), ", ".join(era.name for era in d.eras),
         f"`bronze.{d.name}_raw`" if d.has_tables else "kept in the raw zone")
        for d in sorted(files, key=lambda d: not d.has_tables)
    ]  # fmt: skip
    told = (
        "Files are told by their header, not by their name. `CCN` above is text of six characters: "
        f"`{CCN.pattern.removeprefix('^').removesuffix('$')}`."
    )
    return "\n\n".join(
        ["## CMS files", told, _grid(("dataset", "CMS title", "one file covers", "eras of the header", "table"), rows)]
    ) + "\n"  # fmt: skip


def _covers(dataset: Dataset) -> str:
    return "changes up to a day" if dataset.changed_by else _COVERS[dataset.coverage]


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f"`{column}`" for column in columns)


def _grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|").strip()


if __name__ == "__main__":
    sys.stdout.write(dictionary())
