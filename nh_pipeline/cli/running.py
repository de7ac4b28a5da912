"""How commands execute runs, and say what was done and what was not."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import typer

from nh_pipeline.cli.terminal import FAILED, console, errors
from nh_pipeline.engines import stopping

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nh_pipeline.orchestration.planned_runs import PlannedRun
    from nh_pipeline.settings import Settings

_REASONS = 3
"""Reasons shown of why something is built; nh status has them all."""

_MOST_LEFT = 12
"""Lines shown of what is left when a command is stopped."""


def print_plan(settings: Settings, *, most: int | None = None) -> None:
    """What is stale as things are now, in the order in which it would be built."""
    from nh_pipeline.cli.show import print_stale
    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.landing import RawZone
    from nh_pipeline.pipeline.plan import plan

    lake = Lake(settings.home, settings.catalog_properties)
    found = plan(lake, RawZone(lake.storage))
    if not found.builds:
        console.print("nothing to do: every table is up to date")
    print_stale(console, ((b.table.name, b.partition, b.reason) for b in found.builds), most=most)


def execute_runs(settings: Settings, runs: Iterable[PlannedRun]) -> None:
    """Executes planned runs, shows what they do, and fails if one of them does.

    A first Ctrl-C, or SIGTERM, ends it after the commit that is under way; a second one at once.
    """
    from nh_pipeline.cli.show import run_logger, safe
    from nh_pipeline.engines.spark import require_engine
    from nh_pipeline.orchestration.runs import execute, open_instance, tidy_up

    done = failed = 0
    with stopping.on_signals(say_stopping), open_instance(settings) as instance:
        tidy_up(settings, instance)
        for run in runs:
            if stopping.requested():
                break
            if not done:
                require_engine(settings.engine)
            console.print(f"[bold]{run.title}[/]", no_wrap=True, overflow="ellipsis")
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
    console.print(f"{done} run{'s' * (done > 1)} done" if done else "nothing to do: every table is up to date")


def say_stopping() -> None:
    """That a signal was heard, and what a second one does."""
    errors.print("stopping as soon as what is being done is done; once more: at once", style="yellow")
