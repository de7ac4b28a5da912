"""``nh verify``: proves that the lake is consistent, or names what is not."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from nh_pipeline.cli.terminal import FAILED, console, lake_of, read_settings

if TYPE_CHECKING:
    from nh_pipeline.lake.verify import Verified

_MOST_SHOWN = 10
"""Faults shown of one table; --json has all."""


def verify(
    *,
    quick: Annotated[
        bool, typer.Option("--quick", help="Presence and sizes of files alone: no bytes, no rows are read.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Look whether all deliveries, files and rows of the lake are as they should be; changes nothing."""
    from nh_pipeline.engines.spark import spark_session
    from nh_pipeline.pipeline.verify import verified

    settings = read_settings()
    lake = lake_of(settings)
    engine = "sail" if settings.engine == "glue" else settings.engine

    status = console.status("looking …") if console.is_terminal and not as_json else nullcontext()
    with status as spinner:
        found = list(
            verified(
                lake,
                None if quick else lambda: spark_session(engine, on_s3=settings.on_s3),
                seen=lambda what: spinner.update(f"{what[:60]} …") if spinner else None,
            )
        )
    if as_json:
        sys.stdout.write(json.dumps([each.model_dump() for each in found], indent=1) + "\n")
    else:
        _print(found)
    if any(each.faults for each in found):
        raise typer.Exit(FAILED)


def _print(found: list[Verified]) -> None:
    from nh_pipeline.cli.show import safe

    table = Table(box=None, pad_edge=False)
    for name in ("", "files", "MB", "rows", "no home", "wrong"):
        table.add_column(name, justify="right" if name else "left", overflow="fold")
    looked = [each for each in found if each.files or each.homeless or each.faults]
    for each in looked:
        counts = (each.files, round(each.size / 1e6), each.rows, len(each.homeless), len(each.faults))
        table.add_row(
            each.where, *(f"{count:,}" if count else "" for count in counts), style="red" if each.faults else None
        )
    console.print(table)
    for fault in (fault for each in looked for fault in each.faults[:_MOST_SHOWN]):
        of = f"{fault.where}{': ' if fault.file else ''}{fault.file}"
        told = f"{of}: expected {fault.expected}, found {fault.found}. What to do: {fault.advice}"
        console.print(f"[red]wrong[/] {safe(told)}", soft_wrap=True)
    hidden = sum(max(len(each.faults) - _MOST_SHOWN, 0) for each in looked)
    if hidden:
        console.print(f"and {hidden:,} more (--json)")
    homeless = sum(len(each.homeless) for each in looked)
    if homeless:
        console.print(f"{homeless:,} files have no home: maintenance takes them away when they are a day old")
    wrong = sum(len(each.faults) for each in looked)
    sound = "the lake is as it should be" if looked else "there is nothing to look at"
    console.print(f"{wrong:,} thing{'s are' if wrong > 1 else ' is'} wrong" if wrong else sound)
