"""The ``nh`` command.

Exit codes: 0 done; 1 a run failed, the gate refused what it had staged, a file could not be read or changed while it
was landed, or the machine did not do what it should; 2 wrong usage, wrong settings; 3 done, but files went into
quarantine or do not count (``nh status`` and ``nh quarantine list`` show why); 130 and 143 stopped by Ctrl-C, SIGTERM.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import warnings
from contextlib import suppress
from datetime import datetime  # noqa: TC003 (typer reads the annotations)
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from nh_pipeline.cli import (
    asking,
    aws,
    dashboard,
    decisions,
    drive,
    profile,
    quarantine,
    quicksight,
    relocate,
    report,
    treatments,
    view_definitions,
    warehouse,
)
from nh_pipeline.cli.running import execute_runs, print_plan, say_stopping
from nh_pipeline.cli.terminal import (
    FAILED,
    QUARANTINED,
    USAGE,
    console,
    errors,
    lake_of,
    read_settings,
    require_port,
    stop,
    take_any_encoding,
)
from nh_pipeline.engines import stopping

if TYPE_CHECKING:
    from nh_pipeline.landing import Landed

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
    with _bar() as progress:
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
def ingest(paths: Annotated[list[Path], typer.Argument(help="Files or folders with deliveries.")]) -> None:
    """Land deliveries: recognise, verify and keep them in the raw zone, or quarantine them with a reason."""
    with stopping.on_signals(say_stopping):
        _, quarantined = _landed(paths)
    if quarantined:
        raise typer.Exit(QUARANTINED)


def _require_apart(settings: Any, paths: list[Path]) -> None:
    for path in paths:
        if why := settings.overlap(path):
            stop(f"{path}, {why}", USAGE)


def _landed(paths: list[Path]) -> tuple[set[str], bool]:
    """Lands all files, one after the other: their ids, and whether some went into quarantine.

    What cannot be read does not stop the others, but ends the command when all have been looked at.
    """
    from nh_pipeline.cli.show import safe
    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.landing import LandingError, RawZone
    from nh_pipeline.sources import FolderSource, SourceUnavailable
    from nh_pipeline.sources.protocol import SourceMissing

    settings = read_settings()
    _require_apart(settings, paths)
    zone = RawZone(Lake(settings.home, settings.catalog_properties).storage)
    counts, ids = {"landed": 0, "known": 0, "quarantined": 0, "not landed": 0}, set[str]()
    for path in paths:
        source = FolderSource(path)
        try:
            changes = source.changes(None)
        except SourceUnavailable as error:
            stop(str(error), USAGE if isinstance(error, SourceMissing) else FAILED)
        for unusable in changes.unusable:
            console.print(f"left out {safe(unusable.name)}: {safe(unusable.reason)}")
        with _bar() as progress:
            task = progress.add_task(f"landing {path}", total=len(changes.files))
            for file in changes.files:
                if stopping.requested():
                    break
                progress.update(task, description=safe(file.name[:50]))
                try:
                    landed = zone.land(source, file)
                except (SourceUnavailable, LandingError) as error:
                    counts["not landed"] += 1
                    errors.print(f"[red]not landed[/] {safe(str(error))}")
                    continue
                ids |= _tell(landed, counts)
                progress.advance(task)
    failed = f", {counts['not landed']} could not be landed" if counts["not landed"] else ""
    told = f"{counts['landed']} landed, {counts['known']} known already, {counts['quarantined']} in quarantine"
    console.print(told + failed)
    if stopping.requested():
        console.print("stopped: files that are not counted here have not been looked at; do it again")
        raise typer.Exit(stopping.exit_code())
    if counts["not landed"]:
        raise typer.Exit(FAILED)
    return ids, counts["quarantined"] > 0


def _tell(landed: Landed, counts: dict[str, int]) -> set[str]:
    """Counts what a file became, names what was not taken of it, and returns the ids of its deliveries."""
    from nh_pipeline.cli.show import safe
    from nh_pipeline.landing import Archive, Manifest, Quarantined

    for each in landed.each:
        if isinstance(each.document, Manifest):
            counts["landed" if each.created else "known"] += 1
            if each.created and each.document.told:
                told = f"{each.document.name}: {each.document.told}"
                console.print(f"[yellow]read[/] {safe(told)}")
        elif isinstance(each.document, Quarantined):
            counts["quarantined"] += 1
            console.print(f"[red]quarantined[/] {safe(each.document.reason)}")
    archive = landed.document
    others = [p.path for p in archive.parts if p.outcome == "no delivery"] if isinstance(archive, Archive) else []
    if others:
        console.print(f"left out of {safe(archive.name)}, as no delivery: {safe(', '.join(others))}")
    return {each.document.md5 for each in landed.each}


@app.command()
def materialize(
    select: Annotated[
        str, typer.Option(help="Assets, comma separated, * allowed (default: what deliveries changed).")
    ] = "",
    from_: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")] = None,
    to: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day, included.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be built and why; build nothing.")
    ] = False,
) -> None:
    """Build tables, through Dagster: bronze, then releases and dimensions, then the daily chain, then gold."""
    from nh_pipeline.orchestration.runs import SelectionError, behind, selected

    settings = read_settings()
    start, end = (d.date() if d else None for d in (from_, to))
    if start and end and start > end:
        stop(f"--from {start} is after --to {end}", USAGE)
    try:
        if select or start or end:
            runs = iter(selected(settings, [p.strip() for p in select.split(",") if p.strip()], start, end))
        elif dry_run:
            print_plan(settings)
            return
        else:
            runs = behind(settings)
    except SelectionError as error:
        stop(str(error), USAGE)
    if dry_run:
        for planned in runs:
            console.print(planned.title)
        return
    execute_runs(settings, runs)


@app.command()
def run(paths: Annotated[list[Path], typer.Argument(help="Files or folders with deliveries.")]) -> None:
    """Ingest, then materialize what changed; name every delivery that does not count."""
    from nh_pipeline.cli.show import print_drift, print_not_counting, print_refused
    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.landing import RawZone
    from nh_pipeline.pipeline.plan import plan

    with stopping.on_signals(say_stopping):
        ids, quarantined = _landed(paths)
    settings = read_settings()
    materialize(select="", from_=None, to=None, dry_run=False)
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
    from nh_pipeline.orchestration.runs import open_instance
    from nh_pipeline.pipeline.status import last_checks

    settings = read_settings()
    folder = deliveries(settings)
    strangers = foreign(RawZone(Lake(settings.home, settings.catalog_properties).storage), folder)
    if strangers:
        stop(f"{settings.home} holds {strangers[0]} and more: choose another NH_HOME for the demo", USAGE)
    console.print(f"{write(folder)} generated deliveries in {folder}")
    run([folder])
    with open_instance(settings) as instance:
        summary(console, settings, last_checks(instance, _check_keys(settings)))


@app.command()
def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 3000,
) -> None:
    """Start the Dagster UI with its daemon (sensors, backfills) on the lake; Ctrl-C ends it."""
    from nh_pipeline.orchestration.runs import open_instance

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


app.command()(decisions.confirm)
app.command()(decisions.withdraw)
app.command()(decisions.rebuild)
app.command()(relocate.relocate)
app.command()(asking.query)
app.command()(asking.ddl)
app.command()(quicksight.quicksight)
app.command()(view_definitions.view_definitions)
app.command()(profile.profile)
app.command()(dashboard.dashboard)
app.command()(report.report)


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Show deliveries, tables, the last checks and what is in quarantine."""
    from nh_pipeline.cli.show import print_status
    from nh_pipeline.landing import RawZone
    from nh_pipeline.orchestration.runs import known_instance
    from nh_pipeline.pipeline.status import status as look

    settings = read_settings()
    lake = lake_of(settings)
    with known_instance(settings) as instance:
        found = look(lake, RawZone(lake.storage), instance, _check_keys(settings))
    if as_json:
        sys.stdout.write(found.model_dump_json(indent=1) + "\n")
    else:
        print_status(console, found)


def _check_keys(settings: Any) -> Any:
    from nh_pipeline.orchestration.definitions import build_defs

    return sorted(build_defs(settings).resolve_asset_graph().asset_check_keys)


def _bar() -> Progress:
    text = TextColumn("{task.description}")
    columns = (SpinnerColumn(), text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def main() -> None:
    """Entry point."""
    take_any_encoding()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C, so that nothing is left lying about
    try:
        app()
    except SystemExit as ended:
        if isinstance(ended.code, int):
            _leave(ended.code)
        raise
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
