"""``nh profile``: what is in a file or a table, column by column."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from nh_pipeline.cli.terminal import FAILED, USAGE, console, lake_of, read_settings, stop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nh_pipeline.queries.profile import ColumnProfile, Profile

_WIDE = 300
"""Characters of a line where there is no terminal."""

_SHOWN, _CHARACTERS = 3, 24
"""Values of a column that are printed, and how much of each; --json has all."""


def profile(
    what: Annotated[str, typer.Argument(metavar="FILE|TABLE", help="A CSV, plain or packed; or a table, as silver.….")],
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show what each column holds: type, empty cells, distinct values, range, most frequent values."""
    from nh_pipeline.landing.refused import Refused

    try:
        found = list(_profiles(what))
    except Refused as error:
        stop(str(error), FAILED)
    if as_json:
        sys.stdout.write(f"[{','.join(p.model_dump_json(indent=1) for p in found)}]\n")
        return
    for each in found:
        _print(each)


def _profiles(what: str) -> Iterator[Profile]:
    from nh_pipeline.landing.any_csv import AnyCsv, csvs
    from nh_pipeline.queries.profile import of_file, of_table
    from nh_pipeline.tables import tables

    known, path = {table.name: table for table in tables()}, Path(what)
    if what in known:
        yield of_table(lake_of(read_settings()), known[what])
    elif path.is_file():
        with tempfile.TemporaryDirectory(prefix="nh-profile-") as folder:
            for each, name in csvs(path, Path(folder)):
                yield of_file(AnyCsv.at(each, name))
    else:
        stop(f"{what}: expected a file, or a table, as silver.dim_date; nh status lists them", USAGE)


def _print(found: Profile) -> None:
    from nh_pipeline.cli.show import plain_table, safe

    # Whoever reads it line by line gets a line for each column.
    out = console if console.is_terminal else Console(highlight=False, width=_WIDE)
    refused = f"{found.refused:,} lines refused" * bool(found.refused)
    told = (found.dataset, f"{found.rows:,} rows", refused, found.written)
    out.print(f"{safe(found.name)}: {', '.join(filter(None, told))}")
    table = plain_table("column", "type", "empty", "distinct", "range", "most frequent")
    for c in found.columns:
        name = c.name if c.canonical in ("", c.name) else f"{c.name} = {c.canonical}"
        often = (f"{_cut(f.value)} ({f.rows:,})" for f in c.frequent[:_SHOWN])
        frequent = "protected" if c.protected else ", ".join(often)
        table.add_row(*map(safe, (name, c.type, _empty(c), f"{c.distinct:,}", _range(c), frequent)))
    out.print(table)


def _empty(c: ColumnProfile) -> str:
    return ", ".join([f"{c.nulls:,}", *(f"{word} {rows:,}" for word, rows in c.words.items())])


def _range(c: ColumnProfile) -> str:
    if c.longest is not None:
        return f"{c.shortest} to {c.longest} characters" if c.shortest != c.longest else f"{c.longest} characters"
    return "" if c.minimum is None else f"{c.minimum} to {c.maximum}"


def _cut(value: str) -> str:
    return value if len(value) <= _CHARACTERS else f"{value[:_CHARACTERS]}…"
