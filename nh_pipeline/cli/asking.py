"""Commands that ask the tables: SQL, and the statements that make the views for reports."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer
from rich.console import Console

console, errors = Console(), Console(stderr=True)
FAILED, USAGE = 1, 2


def query(
    sql: Annotated[str, typer.Argument(help='For example "select count(*) from gold.facility_measures".')],
    output: Annotated[str, typer.Option("--format", help="table, csv or json.")] = "table",
) -> None:
    """Run SQL over the current tables (DuckDB)."""
    import duckdb

    from nh_pipeline.errors import explain
    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.queries.duck import connect
    from nh_pipeline.settings import Settings

    if output not in ("table", "csv", "json"):
        _stop(f"--format {output}: expected table, csv or json", USAGE)
    settings = Settings()
    with connect(Lake(settings.home, settings.catalog_properties)) as db:
        try:
            found = db.sql(sql)
            if found is not None:  # a statement without rows
                _print_rows(found, output)
        except duckdb.Error as error:
            fault = explain(error)
            _stop(fault or str(error), FAILED if fault else USAGE)


def ddl(
    engine: Annotated[str, typer.Option(help="athena or duckdb.")] = "athena",
    view: Annotated[str, typer.Option(help="One view, as facility_day (default: all).")] = "",
) -> None:
    """Print the statements that make the views for reports, in an engine's dialect."""
    from nh_pipeline.queries.views import SCHEMA, VIEWS, MissingExtraError
    from nh_pipeline.queries.views import ddl as statements
    from nh_pipeline.settings import Settings

    if engine not in ("athena", "duckdb"):
        _stop(f"--engine {engine}: expected athena or duckdb", USAGE)
    chosen = [v for v in VIEWS if view in ("", v.name, v.name.removeprefix(f"{SCHEMA}."))]
    if not chosen:
        _stop(f"no view {view}; there are {', '.join(v.name for v in VIEWS)}", USAGE)
    prefix = Settings().database_prefix if engine == "athena" else ""
    try:
        sys.stdout.write(statements(engine, prefix=prefix, views=chosen))
    except MissingExtraError as error:
        _stop(str(error), USAGE)


def _print_rows(found: Any, output: str) -> None:
    if output == "json":
        rows = (dict(zip(found.columns, row, strict=True)) for row in found.fetchall())
        sys.stdout.write(json.dumps(list(rows), default=str, indent=1) + "\n")
    elif output == "csv":
        import csv

        writer = csv.writer(sys.stdout)
        writer.writerow(found.columns)
        writer.writerows(found.fetchall())
    else:  # as wide as the terminal, with the columns in the middle left out where there are too many
        found.show(max_width=console.width, max_rows=40)


def _stop(message: str, code: int) -> Any:
    errors.print(message, style="red", highlight=False, markup=False)
    raise typer.Exit(code)
