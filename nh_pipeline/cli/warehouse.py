"""``nh warehouse``: tables of the lake in Redshift or Postgres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table as Shown

from nh_pipeline.cli.terminal import FAILED, USAGE, console, errors, lake_of, read_settings, stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.model.table import Table
    from nh_pipeline.warehouse.address import Address
    from nh_pipeline.warehouse.load import Copy

app = typer.Typer(help="Tables of the lake in a warehouse, Redshift or Postgres.", no_args_is_help=True)

_Tables = Annotated[
    list[str] | None, typer.Argument(help="Names or patterns, as treatments_gold.* (default: NH_WAREHOUSE_TABLES).")
]


@app.command()
def load(names: _Tables = None) -> None:
    """Copy tables of which the warehouse does not hold the current snapshot; each in one transaction."""
    from nh_pipeline.warehouse.load import load as loaded

    _each(names, loaded)


@app.command()
def check(names: _Tables = None) -> None:
    """Compare the tables of the warehouse with the lake's; change nothing."""
    from nh_pipeline.warehouse.load import compare

    _each(names, compare)


def _each(names: list[str] | None, do: Callable[[Lake, Table, Address], Copy]) -> None:
    """Shows what became of each table; one that fails does not keep the others back."""
    from nh_pipeline.warehouse.address import Address
    from nh_pipeline.warehouse.connection import WarehouseError
    from nh_pipeline.warehouse.load import chosen

    settings = read_settings()
    if settings.warehouse_url is None:
        stop("NH_WAREHOUSE_URL is not set: expected postgresql://user:password@host/database", USAGE)
    address = Address.of(settings.warehouse_url.get_secret_value())
    patterns = ",".join(names or [settings.warehouse_tables])
    tables = chosen(patterns)
    if not tables:
        stop(f"{patterns}: no table has such a name; expected layer.table, * allowed, commas between several", USAGE)
    lake, failed = lake_of(settings), False
    shown = Shown("table", "lake", "warehouse", "", box=None, pad_edge=False)
    for table in tables:
        try:
            copy = do(lake, table, address)
        except WarehouseError as error:
            failed = True
            errors.print(str(error), style="red", markup=False)
            continue
        failed = failed or not copy.is_equal
        rows = "" if copy.copied is None else f"{copy.copied:,}"
        shown.add_row(table.name, f"{copy.rows:,}", rows, copy.told, style=None if copy.is_equal else "red")
    console.print(shown)
    if failed:
        raise typer.Exit(FAILED)
