"""The ``nh`` command.

Exit codes: 0 done; 1 a run failed, the gate refused what it had staged, a file could not be read or changed while it
was landed, or the machine did not do what it should; 2 wrong usage, wrong settings; 3 done, but files went into
quarantine or do not count (``nh status`` and ``nh quarantine list`` show why); 130 and 143 stopped by Ctrl-C, SIGTERM.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import warnings
from contextlib import suppress
from datetime import datetime  # noqa: TC003 (typer reads the annotations)
from itertools import chain
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from nh_pipeline.cli import (
    alerts,
    asking,
    aws,
    backup,
    dashboard,
    decisions,
    drive,
    maintain,
    metrics,
    profile,
    quarantine,
    quicksight,
    relocate,
    renewal,
    report,
    treatments,
    verify,
    view_definitions,
    warehouse,
)
from nh_pipeline.cli.ingest import ingest, land
from nh_pipeline.cli.running import NOTHING_TO_DO, execute_runs, is_idle, print_plan, say_stopping
from nh_pipeline.cli.terminal import (
    FAILED,
    QUARANTINED,
    USAGE,
    bar,
    console,
    errors,
    lake_of,
    read_settings,
    require_port,
    stop,
    take_any_encoding,
)
from nh_pipeline.engines import stopping

# The command line is for people; what libraries tell developers is for the test suite, where it is an error.
warnings.simplefilter("ignore")

app = typer.Typer(
    help="Nursing-home staffing and quality: CMS deliveries to checked Iceberg tables.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(drive.app, name="drive")
app.add_typer(aws.app, name="aws")
app.add_typer(treatments.app, name="treatments")
app.add_typer(warehouse.app, name="warehouse")
app.add_typer(alerts.app, name="alerts")


@app.callback()
def _home(
    home: Annotated[
        str | None,
        typer.Option(envvar="NH_HOME", help="Root of the lake: a folder (default .nh), or s3://bucket/prefix."),
    ] = None,
) -> None:
    if home is not None:
        os.environ["NH_HOME"] = home  # runs and resources read their settings from the environment


@app.command()
def sample(
    *,
    out: Annotated[Path, typer.Option(help="Folder to write to.")],
    facilities: Annotated[int, typer.Option(min=1, help="Nursing homes (full size: 14564).")] = 120,
    quarters: Annotated[str, typer.Option(help="Quarters of daily staffing, comma separated.")] = "2024Q1,2024Q2",
    releases: Annotated[int, typer.Option(min=0, help="Monthly releases of provider information and claims.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.")] = 7,
    full_from: Annotated[
        int | None, typer.Option(min=0, help="Number (from 0) of the first release with every CMS file, not only five.")
    ] = None,
) -> None:
    """Write generated deliveries in CMS's layouts (they are no CMS data)."""
    from nh_pipeline import sample as generator
    from nh_pipeline.periods import quarter_bounds

    chosen = [q.strip() for q in quarters.split(",")]
    try:
        for quarter in chosen:
            quarter_bounds(quarter)
    except ValueError as error:
        stop(f"--quarters {quarters}: {error}", USAGE)
    if out.exists() and not out.is_dir():
        stop(f"--out {out}: expected a folder, found a file", USAGE)
    with bar() as progress:
        task = progress.add_task("generating", total=None)
        files = generator.generate(
            out,
            facilities=facilities,
            quarters=chosen,
            releases=releases,
            seed=seed,
            full_from=full_from,
            progress=lambda text: progress.update(task, description=text),
        )
    console.print(f"{len(files)} generated files in {out}")


@app.command()
def materialize(
    select: Annotated[
        str, typer.Option(help="Assets, comma separated, * allowed (default: what deliveries changed).")
    ] = "",
    from_: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")] = None,
    to: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day, included.")] = None,
    missing: Annotated[
        bool, typer.Option("--missing", help="Of the days of --from and --to, only what is stale.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be built and why; build nothing.")
    ] = False,
) -> None:
    """Build tables, through Dagster: bronze, then releases and dimensions, then the daily chain, then gold."""
    settings = read_settings()
    start, end = (d.date() if d else None for d in (from_, to))
    if start and end and start > end:
        stop(f"--from {start} is after --to {end}", USAGE)
    if missing and (select or not (start or end)):
        stop("--missing is about days: expected it with --from or --to, and without --select", USAGE)
    stale = missing or not (select or start or end)
    if dry_run and stale:
        print_plan(settings, start, end)
        return
    if stale and is_idle(settings, start, end):
        console.print(NOTHING_TO_DO)
        return
    from nh_pipeline.orchestration.runs import SelectionError, behind, selected

    try:
        if stale:
            runs = behind(settings, start, end)
        else:
            runs = iter([selected(settings, [p.strip() for p in select.split(",") if p.strip()], start, end)])
    except SelectionError as error:
        stop(str(error), USAGE)
    if dry_run:
        for planned in chain.from_iterable(runs):
            console.print(planned.title)
        return
    execute_runs(settings, runs, goes_on=stale)


@app.command()
def run(paths: Annotated[list[Path], typer.Argument(help="Files or folders with deliveries.")]) -> None:
    """Ingest, then materialize what changed; name every delivery that does not count."""
    from nh_pipeline.cli.show import print_drift, print_not_counting, print_refused
    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.landing import RawZone
    from nh_pipeline.pipeline.plan import plan

    with stopping.on_signals(say_stopping):
        ids, quarantined = land(paths)
    settings = read_settings()
    materialize(select="", from_=None, to=None, missing=False, dry_run=False)
    lake = Lake(settings.home, settings.catalog_properties)
    found = plan(lake, RawZone(lake.storage))
    # What its source withdrew is no news, unless it was handed over just now.
    told = [s for s in found.not_counting if s.state != "withdrawn" or s.delivery_id in ids]
    print_not_counting(console, told)
    print_drift(console, (text for texts in found.drift.values() for text in texts))
    print_refused(console, found.refused)
    if quarantined or found.refused or any(s.state != "withdrawn" for s in told):
        raise typer.Exit(QUARANTINED)


@app.command()
def demo() -> None:
    """Generate deliveries, run the whole chain on them and show what came out."""
    from nh_pipeline.cli.demo import deliveries, foreign, summary, write
    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.landing import RawZone
    from nh_pipeline.orchestration.check_keys import check_keys
    from nh_pipeline.orchestration.instance import open_instance
    from nh_pipeline.pipeline.status import last_checks

    settings = read_settings()
    folder = deliveries(settings)
    strangers = foreign(RawZone(Lake(settings.home, settings.catalog_properties).storage), folder)
    if strangers:
        stop(f"{settings.home} holds {strangers[0]} and more: choose another NH_HOME for the demo", USAGE)
    console.print(f"{write(folder)} generated deliveries in {folder}")
    renewal.forbid()
    run([folder])
    with open_instance(settings) as instance:
        summary(console, settings, last_checks(instance, check_keys(settings)))


@app.command()
def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 3000,
) -> None:
    """Start the Dagster UI with its daemon (sensors, backfills) on the lake; Ctrl-C ends it."""
    from nh_pipeline.orchestration.instance import open_instance

    settings = read_settings()
    require_port(port)
    with open_instance(settings):
        pass
    if "://" not in settings.source_folder:
        Path(settings.source_folder).mkdir(parents=True, exist_ok=True)
    console.print(f"Files dropped into {settings.source_folder} are picked up by the drive sensor")
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    os.environ["NH_HOME"] = settings.home
    options = ["-m", "nh_pipeline.orchestration.definitions", "-h", "127.0.0.1", "-p", str(port)]
    command = [sys.executable, "-m", "dagster", "dev", *options]
    os.execv(sys.executable, command)  # noqa: S606 (our own interpreter, no shell)


app.command()(ingest)
app.command()(decisions.confirm)
app.command()(decisions.withdraw)
app.command()(decisions.rebuild)
app.command()(relocate.relocate)
app.command()(verify.verify)
app.command()(maintain.maintain)
app.command()(backup.backup)
app.command()(asking.query)
app.command()(asking.ddl)
app.command()(quicksight.quicksight)
app.command()(view_definitions.view_definitions)
app.command()(profile.profile)
app.command()(dashboard.dashboard)
app.command()(report.report)
app.command()(metrics.metrics)


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Show deliveries, tables, the last checks and what is in quarantine."""
    from nh_pipeline.cli.show import print_status
    from nh_pipeline.landing import RawZone
    from nh_pipeline.orchestration.check_keys import check_keys
    from nh_pipeline.orchestration.instance import known_instance
    from nh_pipeline.pipeline.status import status as look

    settings = read_settings()
    lake = lake_of(settings)
    with known_instance(settings) as instance:
        found = look(lake, RawZone(lake.storage), instance, check_keys(settings))
    if as_json:
        sys.stdout.write(found.model_dump_json(indent=1) + "\n")
    else:
        print_status(console, found)


_NEW_OBJECTS = 50_000
"""After so many, Python looks for garbage, not after 700: nearly all that a command makes are libraries and
definitions, which stay, and to look through them again and again takes a tenth to a third of the time of imports."""


def main() -> None:
    """Entry point."""
    gc.set_threshold(_NEW_OBJECTS)
    take_any_encoding()
    renewal.allow()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C, so that nothing is left lying about
    try:
        app()
    except SystemExit as ended:
        if isinstance(ended.code, int):
            _leave(ended.code)
        raise
    except renewal.BeginAnewError:
        renewal.begin_anew()
    except Exception as error:
        from nh_pipeline.errors import is_of_settings, told

        message = told(error)
        if message is None:
            raise
        errors.print(message, style="red", markup=False)
        _leave(USAGE if is_of_settings(error) else FAILED)


def _leave(code: int) -> NoReturn:
    """Ends the process without taking Python apart: libraries in C++ and Rust have threads in it.

    One of them may crash it then, when all is done and told, and the exit code would be lost (seen: SIGSEGV).
    """
    if spark := sys.modules.get("nh_pipeline.engines.spark"):
        spark.stop_embedded()
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(BrokenPipeError):  # whoever read it has read enough
            stream.flush()
    os._exit(code)
