"""``nh ingest``: files of this machine into the raw zone, and what became of each."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 (typer reads the annotations)
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nh_pipeline.cli.running import say_stopping
from nh_pipeline.cli.terminal import FAILED, QUARANTINED, USAGE, bar, console, errors, read_settings, stop
from nh_pipeline.engines import stopping

if TYPE_CHECKING:
    from nh_pipeline.landing import Landed


def ingest(paths: Annotated[list[Path], typer.Argument(help="Files or folders with deliveries.")]) -> None:
    """Land deliveries: recognise, verify and keep them in the raw zone, or quarantine them with a reason."""
    with stopping.on_signals(say_stopping):
        _, quarantined = land(paths)
    if quarantined:
        raise typer.Exit(QUARANTINED)


def _require_apart(settings: Any, paths: list[Path]) -> None:
    for path in paths:
        if why := settings.overlap(path):
            stop(f"{path}, {why}", USAGE)


def land(paths: list[Path]) -> tuple[set[str], bool]:
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
        with bar() as progress:
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
