"""The data dictionary: contracts as Markdown. A pure function of the contracts.

Run as a module it prints the committed file::

    python -m nh_pipeline.cli.dictionary > docs/data-dictionary.md
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

from nh_pipeline.contracts import ALL
from nh_pipeline.contracts.base import CCN_PATTERN
from nh_pipeline.contracts.bronze import BRONZE
from nh_pipeline.contracts.checks import kind_of, values_of
from nh_pipeline.contracts.raw import DATASETS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pandera.api.checks import Check

    from nh_pipeline.contracts.base import Contract, Layout
    from nh_pipeline.contracts.raw import Dataset

_INTRODUCTION = """\
# Data dictionary

Generated from the contracts in `nh_pipeline/contracts`; do not edit. After a change of a contract:

    python -m nh_pipeline.cli.dictionary > docs/data-dictionary.md

Types are Spark SQL types. *Null* says whether a column may be NULL; the gate refuses to publish a table in which
another column is. *Values* are further rules of the gate on single columns. *Source* is the column of the CMS file;
for bronze, every spelling of it that is recognised, in any letter case.
"""

_REPLACES: dict[Layout, str] = {
    "month": "a month of `work_date`",
    "delivery": "a delivery",
    "rejects": "the rejects of one delivery at one stage",
    "whole": "the whole table",
}
_WORDS: dict[str | None, str] = {
    "equal_to": "",
    "not_equal_to": "not",
    "greater_than": "more than",
    "greater_than_or_equal_to": "at least",
    "less_than": "less than",
    "less_than_or_equal_to": "at most",
}
_COVERS = {"quarter": "a quarter", "release": "a monthly release", "undated": "not dated"}


def dictionary(contracts: Sequence[Contract] = ALL, datasets: Iterable[Dataset] = tuple(DATASETS.values())) -> str:
    """The data dictionary.

    Args:
        contracts: of the tables, in the order in which they are shown.
        datasets: the CMS files that are recognised.

    Returns:
        Markdown that ends with a line break.
    """
    contents = "\n".join(f"- [`{c.name}`](#{_anchor(c.name)}): {c.schema.description}" for c in contracts)
    sections = [_INTRODUCTION, "## Tables\n\n" + contents + "\n", *map(_table, contracts), _datasets(datasets)]
    return "\n".join(sections)


def _anchor(title: str) -> str:
    """The anchor that a heading gets: lower case, no punctuation but ``_`` and ``-``, blanks as ``-``."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def _table(contract: Contract) -> str:
    facts = [
        f"- Grain: {_names(contract.grain)}",
        f"- One publish replaces: {_REPLACES[contract.layout]}",
        f"- Rows of a file are sorted by: {_names(contract.sort)}",
    ]
    facts += [f"- `{column}` refers to `{target}` (not enforced: rows with unknown keys are kept)"
              for column, target in contract.foreign_keys]  # fmt: skip
    if contract.tracked:
        facts.append(f"- A change of any of these starts a version: {_names(contract.tracked)}")
    if contract.caseless:
        facts.append(f"- Letter case is no change in: {_names(sorted(contract.caseless))}")
    spellings = _spellings(contract)
    columns = _grid(
        ("column", "type", "null", "unit", "values", "source", "description"),
        [_column(name, column, spellings.get(name)) for name, column in contract.schema.columns.items()],
    )
    parts = [f"## {contract.name}", str(contract.schema.description), "\n".join(facts), columns]
    if contract.rules:
        rules = [(f"`{r.name}`", "yes" if r.blocking else "no, warns", f"`{r.sql}`", r.advice) for r in contract.rules]
        parts += ["Rules across columns:", _grid(("rule", "blocks", "true where right", "if it fails"), rules)]
    return "\n\n".join(parts) + "\n"


def _spellings(contract: Contract) -> dict[str, str]:
    """Header cells per column of a bronze table; nothing for other tables."""
    dataset = next((name for name, bronze in BRONZE.items() if bronze is contract), None)
    return {c.name: " / ".join(c.labels) for c in DATASETS[dataset].table} if dataset else {}


def _column(name: str, column: Any, spellings: str | None) -> tuple[str, ...]:
    metadata = column.metadata or {}
    return (
        f"`{name}`",
        column.dtype.type.simpleString(),
        "yes" if column.nullable else "no",
        metadata.get("unit", ""),
        "; ".join(_values(check) for check in column.checks),
        metadata.get("source", "") if spellings is None else spellings,
        column.description or "",
    )


def _values(check: Check) -> str:
    kind, found = kind_of(check), check.statistics or {}
    if kind in _WORDS:
        (value,) = found.values()
        return f"{_WORDS[kind]} {value}".lstrip()
    if kind == "in_range":
        low, high = found["min_value"], found["max_value"]
        without = [str(v) for v, included in ((low, "include_min"), (high, "include_max")) if not found[included]]
        return f"{low} to {high}" + (f", without {' and '.join(without)}" if without else "")
    if kind in ("isin", "notin"):
        listed = ", ".join(f"`{value}`" for value in values_of(check))
        return listed if kind == "isin" else f"not {listed}"
    if kind == "str_matches":
        pattern = str(found["pattern"])
        return "CCN" if pattern == CCN_PATTERN else f"`{pattern}`"
    raise ValueError(f"the check {check.name} has no words; add some to dictionary._values")


def _datasets(datasets: Iterable[Dataset]) -> str:
    rows = [
        (f"`{d.name}`", d.title, _COVERS[d.coverage], ", ".join(layout.name for layout in d.layouts),
         f"`bronze.{d.name}_raw`" if d.modelled else "kept in the raw zone")
        for d in sorted(datasets, key=lambda d: not d.modelled)
    ]  # fmt: skip
    told = (
        "Files are told by their header, not by their name. `CCN` above is text of six characters: "
        f"`{CCN_PATTERN.removeprefix('^').removesuffix('$')}`."
    )
    return "\n\n".join(
        ["## CMS files", told, _grid(("dataset", "CMS title", "one file covers", "layouts", "table"), rows)]
    ) + "\n"  # fmt: skip


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f"`{column}`" for column in columns)


def _grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|").strip()


if __name__ == "__main__":
    sys.stdout.write(dictionary())
