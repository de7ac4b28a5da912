"""How commands execute runs, and say what was done and what was not."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import typer

from nh_pipeline.cli import renewal
from nh_pipeline.cli.terminal import FAILED, console, errors
from nh_pipeline.engines import stopping
from nh_pipeline.pipeline.pace import Pace
from nh_pipeline.settings import PROCESSES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

    from nh_pipeline.orchestration.planned_runs import PlannedRun
    from nh_pipeline.pipeline.plan import Plan
    from nh_pipeline.settings import Settings

NOTHING_TO_DO = "nothing to do: every table is up to date"

_REASONS = 3
"""Reasons shown of why something is built; nh status has them all."""

_MOST_LEFT = 12
"""Lines shown of what is left when a command is stopped."""


def print_plan(
    settings: Settings, start: date | None = None, end: date | None = None, *, most: int | None = None
) -> None:
    """What is stale as things are now, or what of it touches some days, in the order in which it would be built."""
    from nh_pipeline.cli.show import print_stale

    found = _planned(settings, start, end)
    if not found.builds:
        console.print(NOTHING_TO_DO)
    print_stale(console, ((b.table.name, b.partition, b.reason) for b in found.builds), most=most)


def is_idle(settings: Settings, start: date | None = None, end: date | None = None) -> bool:
    """Whether there is nothing to build, and no run whose process may have been killed: seen without loading Dagster.

    Where services keep Dagster's files elsewhere, they look after such runs themselves.
    """
    return not any((settings.dagster_home / PROCESSES).glob("*")) and not _planned(settings, start, end).builds


def _planned(settings: Settings, start: date | None, end: date | None) -> Plan:
    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.landing import RawZone
    from nh_pipeline.pipeline.plan import plan

    lake = Lake(settings.home, settings.catalog_properties)
    found = plan(lake, RawZone(lake.storage))
    return found.within(start, end) if start or end else found


def execute_runs(settings: Settings, planned: Iterable[Sequence[PlannedRun]], *, goes_on: bool = False) -> None:
    """Executes planned runs, shows what they do and how far they are, and fails if one of them does.

    Runs come in as many lists as they are planned in. A first Ctrl-C, or SIGTERM, ends it after the commit that is
    under way; a second one at once. ``goes_on`` says that the same command, given again, does what is left.

    Raises:
        BeginAnewError: that is what is to be done now, in another process.
    """
    from nh_pipeline.cli.show import run_logger, safe
    from nh_pipeline.engines.spark import require_engine
    from nh_pipeline.orchestration.instance import open_instance
    from nh_pipeline.orchestration.jobs import QUALITY
    from nh_pipeline.orchestration.runs import execute, tidy_up

    done = failed = 0
    with stopping.on_signals(say_stopping), open_instance(settings) as instance:
        tidy_up(settings, instance)
        for run, pace in _paced(planned):
            if stopping.requested():
                break
            # To load everything anew takes several times as long as the tables of quality, which come last.
            if goes_on and done and not failed and run.job != QUALITY and renewal.is_due():
                console.print("going on in a new process, as this one has grown large")
                raise renewal.BeginAnewError
            if not done:
                require_engine(settings.engine)
            console.print(f"[bold]{run.title}[/]", no_wrap=True, overflow="ellipsis")
            if run.progress:
                run = replace(run, progress=f"{run.progress}, {pace}")  # noqa: PLW2901 (the same run, with how far it is)
                console.print(f"  {run.progress}", style="dim", no_wrap=True, overflow="ellipsis")
            for reason, count in Counter(run.reasons).most_common(_REASONS):
                told = safe(f"{reason}{f' ({count} times)' if count > 1 else ''}")
                console.print(f"  {told}", style="dim", no_wrap=True, overflow="ellipsis")
            with run_logger(console) as logger:
                result = stopping.aside(partial(execute, settings, instance, run, logger=logger))
            done += 1
            if not result.success:
                failed += 1
                word = "stopped" if stopping.requested() else "failed"
                errors.print(
                    f"[red]{word}[/] {run.title} (run {result.run_id}): what it would have changed is as it was, but "
                    "for the parts that it says were published"
                )
        if stopping.requested():
            told = f"stopped: {done - failed} run{'s' * (done - failed != 1)} done, none half done. Not done is"
            console.print(told)
            print_plan(settings, most=_MOST_LEFT)
            console.print("nh materialize goes on from there")
            raise typer.Exit(stopping.exit_code())
    if failed:
        raise typer.Exit(FAILED)
    console.print(f"{done} run{'s' * (done > 1)} done" if done else NOTHING_TO_DO)


def _paced(planned: Iterable[Sequence[PlannedRun]]) -> Iterator[tuple[PlannedRun, Pace]]:
    """The runs, each with how far those that were planned with it are."""
    for together in planned:
        pace = Pace(sum(run.partitions for run in together))
        for run in together:
            yield run, pace
            pace.done += run.partitions


def say_stopping() -> None:
    """That a signal was heard, and what a second one does."""
    errors.print("stopping as soon as what is being done is done; once more: at once", style="yellow")
