"""How the command line shows runs and status."""

from __future__ import annotations

import logging
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from nh_pipeline.model.table import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import dagster as dg
    from rich.console import Console
    from rich.status import Status as Spinner

    from nh_pipeline.lake.refusals import Refusal
    from nh_pipeline.pipeline.guards import DeliveryStatus
    from nh_pipeline.pipeline.status import ArchiveStatus, RefusalStatus, Status

_MOST_STALE = 12
"""Lines on what is stale; --json has all."""

_MOST_NAMED = 5
"""Files of an archive that are named; --json has all."""


class _Steps(logging.Handler):
    """Turns Dagster's events into lines: an asset built, a check that warns or fails, an error."""

    def __init__(self, console: Console, spinner: Spinner) -> None:
        super().__init__()
        self._console, self._spinner, self._started = console, spinner, time.monotonic()
        self._built: dict[str, Mapping[str, Any]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        meta = getattr(record, "dagster_meta", {})
        event = getattr(record, "dagster_event", None) or meta.get("dagster_event")
        if event is None:
            if meta.get("step_key"):  # how far it is with its partitions
                self._spinner.update(f"{_named(meta['step_key'])}: {safe(meta['orig_message'])}")
            return
        kind = event.event_type_value
        if kind == "STEP_START":
            self._started = time.monotonic()
            self._spinner.update(f"{_named(event.step_key)} …")
        elif kind == "ASSET_MATERIALIZATION" and event.asset_key is not None:
            self._built[event.asset_key.to_user_string()] = event.materialization.metadata  # one event per partition
        elif kind == "STEP_SUCCESS":
            for key, metadata in self._built.items():
                self._show(key, metadata)
            self._built.clear()
        elif kind == "ASSET_CHECK_EVALUATION":
            self._check(event.asset_check_evaluation_data)
        elif kind == "STEP_FAILURE":
            failure = event.step_failure_data
            told = failure.user_failure_data.description if failure.user_failure_data else None
            if not told and failure.error is not None:  # what went wrong, not that Dagster was executing something
                told = (failure.error.cause or failure.error).message
            self._console.print(f"  [red]✗[/] {_named(event.step_key)}:", escape((told or "").strip()), highlight=False)

    def _check(self, found: dg.AssetCheckEvaluation) -> None:
        if not found.passed:
            mark = "[red]✗[/]" if found.severity.value == "ERROR" else "[yellow]![/]"
            count = found.metadata.get("failed_rows")
            where = f"{found.asset_key.to_user_string()} {found.check_name}"
            self._line(f"  {mark} {where}: {count.value if count else '?'} found")

    def _show(self, key: str, metadata: Mapping[str, Any]) -> None:
        rows, changed = metadata.get("rows"), metadata.get("changed")
        detail = f"{rows.value:>12,} rows" if rows is not None else " " * 17
        note = "  unchanged" if changed is not None and changed.value == "nothing" else ""
        seconds = time.monotonic() - self._started
        self._line(f"  [green]✓[/] {key:<33}{detail} {seconds:6.1f} s{note}")

    def _line(self, text: str) -> None:
        self._console.print(text, highlight=False, no_wrap=True, overflow="ellipsis")


def _named(step: str | None) -> str:
    """A step as people know it: by its asset."""
    return (step or "").replace("__", "/")


@contextmanager
def run_logger(console: Console) -> Iterator[logging.Logger]:
    """A logger for one run that shows a spinner with the current asset and a line per result."""
    logger = logging.Logger("nh.progress")  # noqa: LOG001 (of this run alone, in no hierarchy)
    with console.status("starting …") as spinner:
        logger.addHandler(_Steps(console, spinner))
        yield logger


def printable(text: str) -> str:
    """Text from a file as a terminal may have it: control characters, and marks that turn text round, are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def safe(text: str) -> str:
    """The same within rich's markup: it may hold [brackets]."""
    return escape(printable(text))


def plain_table(*headers: str, right: str = "") -> Table:
    """A table without lines, so that long names fit into 80 columns; ``right`` names the columns of numbers."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for header in headers:
        table.add_column(header, justify="right" if header in right.split() else "left")
    return table


def print_not_counting(console: Console, statuses: Iterable[DeliveryStatus]) -> None:
    """Deliveries that do not count, why, and what to do."""
    for s in statuses:
        console.print(f"[yellow]{s.state}[/] {safe(s.name)} ({s.coverage}): {safe(s.reason)}", highlight=False)
        if s.lines_refused:
            told = f"  {s.lines_refused:,} of {s.lines:,} lines refused: nh quarantine show {s.delivery_id[:12]}"
            console.print(told, highlight=False)


def _stale(table: str, name: str, reason: str) -> str:
    part = "" if name == WHOLE or table.startswith("bronze.") else f" {name}"
    return f"{table}{part}: {reason}"


def print_drift(console: Console, drift: Iterable[str]) -> None:
    """Header cells that nobody knows, where a known column is away."""
    for text in drift:
        console.print(f"[yellow]header[/] {safe(text)}", highlight=False)


def print_refused(console: Console, refused: Iterable[Refusal | RefusalStatus]) -> None:
    """What the gate refused, and would refuse again."""
    for r in refused:
        where = f"{r.table} {'' if r.partition == WHOLE else r.partition[:12]}".strip()
        console.print(f"[red]refused[/] by the gate: {where}, {r.rule}: {safe(r.reason)}", highlight=False)


def print_stale(console: Console, stale: Iterable[tuple[str, str, str]], *, most: int | None) -> None:
    """What is stale (table, partition, reason), and why; equal lines as one, and at most so many of them."""
    for told, count in list(Counter(_stale(*found) for found in stale).items())[:most]:
        console.print(f"  {safe(told)}{f' ({count} of them)' if count > 1 else ''}", highlight=False)


def _archive(archive: ArchiveStatus) -> str:
    others = (("in quarantine", archive.quarantined), ("no delivery", archive.no_delivery))
    named = (
        f"; {what}: {', '.join(paths[:_MOST_NAMED])}{', ...' * (len(paths) > _MOST_NAMED)}"
        for what, paths in others
        if paths
    )
    return f"{archive.name}: {archive.deliveries} deliver{'y' if archive.deliveries == 1 else 'ies'}{''.join(named)}"


def print_status(console: Console, found: Status) -> None:
    """Deliveries, archives, tables, checks that did not pass, quarantine."""
    deliveries = plain_table("dataset", "deliveries", "coverage", "", right="deliveries")
    for d in found.datasets:
        span = d.coverages[0] if len(d.coverages) == 1 else f"{d.coverages[0]} to {d.coverages[-1]}"
        deliveries.add_row(d.dataset, str(d.deliveries), span, "" if d.has_tables else "kept, no table")
    console.print(deliveries)
    for archive in found.archives:
        console.print(f"archive {safe(_archive(archive))}", highlight=False)
    print_not_counting(console, [s for d in found.datasets for s in d.needs_attention])
    print_drift(console, (text for d in found.datasets for text in d.header_drift))
    for told in (text for d in found.datasets for text in d.read_otherwise):
        console.print(f"[yellow]read[/] {safe(told)}", highlight=False)
    for told in (text for d in found.datasets for text in d.deletions_unseen):
        console.print(f"[yellow]unseen[/] {safe(told)}", highlight=False)
    tables = plain_table("table", "rows", "months", right="rows")
    for t in found.tables:
        tables.add_row(t.table, f"{t.rows:,}", f"{t.first} to {t.last}" if t.first else "")
    console.print()
    console.print(tables)
    console.print()
    passed = sum(c.passed for c in found.checks)
    console.print(f"Checks: {passed} of {len(found.checks)} pass", highlight=False)
    for c in found.checks:
        if not c.passed:
            color = "red" if c.severity == "ERROR" else "yellow"
            told = safe(f"{c.found} found; {c.what_to_do or c.description}")
            console.print(f"  [{color}]{c.severity}[/] {c.asset} {c.check}: {told}", highlight=False)
    print_refused(console, found.refused)
    if found.stale:
        console.print(f"Stale: {len(found.stale)}; nh materialize builds what is", highlight=False)
    print_stale(console, ((b.table, b.partition, b.reason) for b in found.stale), most=_MOST_STALE)
    console.print(f"Quarantine: {len(found.quarantine)}", highlight=False)
    for q in found.quarantine:
        told = safe(f"{q['reason']}; {q['what_to_do']}")
        console.print(f"  [red]quarantined[/] {told}", highlight=False)
