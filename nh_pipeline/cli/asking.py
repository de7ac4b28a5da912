"""Commands that ask the tables: SQL, and the statements that make the views for reports."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from nh_pipeline.cli.terminal import FAILED, USAGE, console, lake_of, read_settings, stop

if TYPE_CHECKING:
    import duckdb

    from nh_pipeline.settings import Settings

_BATCH = 10_000
"""Rows of a result that are held at once."""


def query(
    sql: Annotated[str, typer.Argument(help='For example "select count(*) from gold.facility_measures".')],
    output: Annotated[str, typer.Option("--format", help="table, csv or json.")] = "table",
) -> None:
    """Run SQL over the current tables (DuckDB); it reads, and changes nothing."""
    import duckdb

    from nh_pipeline.errors import explain
    from nh_pipeline.queries.duck import NotReadingError, ask, connect

    if output not in ("table", "csv", "json"):
        stop(f"--format {output}: expected table, csv or json", USAGE)
    with connect(lake_of(read_settings())) as db:
        try:
            found = ask(db, sql)
            if found is not None:
                _print_rows(found, output)
        except NotReadingError as error:
            stop(str(error), USAGE)
        except duckdb.Error as error:
            fault = explain(error)
            broken = isinstance(error, (duckdb.OperationalError, duckdb.InternalError, duckdb.FatalException))
            stop(fault or str(error), FAILED if fault or broken else USAGE)


def ddl(
    engine: Annotated[str, typer.Option(help="athena, duckdb, postgres, redshift or snowflake.")] = "athena",
    view: Annotated[str, typer.Option(help="One view, as facility_day (default: all).")] = "",
    role: Annotated[str, typer.Option(help="Of redshift and snowflake: ARN of the role that reads the lake.")] = "",
) -> None:
    """Print the statements that make the views for reports, and by which other engines find the tables."""
    from nh_pipeline.queries.in_place import ENGINES as IN_PLACE
    from nh_pipeline.queries.views import ENGINES, MissingExtraError, selected_views
    from nh_pipeline.queries.views import ddl as statements

    if engine not in ENGINES:
        stop(f"--engine {engine}: expected {', '.join(ENGINES[:-1])} or {ENGINES[-1]}", USAGE)
    settings, known = read_settings(), selected_views()
    chosen = [v for v in known if view in ("", v.name, v.name.removeprefix(f"{v.schema}."))]
    if not chosen:
        stop(f"no view {view}; there are {', '.join(v.name for v in known)}", USAGE)
    prefix = "" if engine == "duckdb" else settings.database_prefix
    try:
        text = statements(engine, prefix=prefix, views=chosen)
    except MissingExtraError as error:
        stop(str(error), USAGE)
    sys.stdout.write((_in_place(engine, settings, role) if engine in IN_PLACE and not view else "") + text)


def _in_place(engine: str, settings: Settings, role: str) -> str:
    from nh_pipeline.lake.s3 import region
    from nh_pipeline.queries.in_place import Place, statements
    from nh_pipeline.tables import tables

    try:
        place = Place(settings.home, region(), role, settings.database_prefix)
    except ValueError as error:
        stop(str(error), USAGE)
    return "\n".join(statements(engine, place, tables())) + "\n\n"


def _print_rows(found: duckdb.DuckDBPyRelation, output: str) -> None:
    from nh_pipeline.cli.rows import write_csv, write_json

    if output == "table":  # as wide as the terminal, with the columns in the middle left out where there are too many
        found.show(max_width=console.width, max_rows=40)
        return
    write = write_csv if output == "csv" else write_json
    sys.stdout.flush()
    # UTF-8 and line feeds, whatever the terminal has: it is for programs.
    out = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="")
    try:
        write(found.columns, found.to_arrow_reader(_BATCH), out)
    finally:
        out.detach()
