"""``nh confirm``, ``nh withdraw`` and ``nh rebuild``: what a person decides about deliveries and tables."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 (typer reads the annotations)
from typing import TYPE_CHECKING, Annotated

import typer

from nh_pipeline.cli.terminal import USAGE, console, lake_of, read_settings, stop

if TYPE_CHECKING:
    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.landing.manifest import Delivery
    from nh_pipeline.model.table import Table


def confirm(
    target: Annotated[
        str,
        typer.Argument(
            metavar="ID|TABLE",
            help="Id of a held delivery, or its beginning (nh status shows it); or a table, such as "
            "silver.dim_date, whose build the gate refused because it takes many rows away.",
        ),
    ],
    reason: Annotated[str, typer.Option(help="Why it is right; kept with the confirmation.")] = "",
) -> None:
    """Take a delivery that is held, or let a table lose rows that the gate protects."""
    from nh_pipeline.lake.refusals import Refusals
    from nh_pipeline.landing.confirmations import confirm as record

    lake = lake_of(read_settings())
    if "." in target:
        table = _table(target)
        refused = Refusals(lake.storage)
        found = [r for r in refused.all(table.name) if r.rule == "rows_kept"]
        if not found:
            stop(f"{table.name}: no build waits for a confirmation; nh status shows what the gate refused", USAGE)
        for refusal in found:
            refused.allow(refusal, reason=reason)
        console.print(f"confirmed {table.name}; nh materialize builds it", soft_wrap=True)
        return
    delivery = _delivery(lake, target)
    record(lake.storage, delivery, reason=reason)
    console.print(f"confirmed {delivery.manifest.name}; nh materialize takes it", soft_wrap=True)


def withdraw(
    id_: Annotated[
        str, typer.Argument(metavar="ID", help="Id of a landed delivery, or its beginning; or the name of its file.")
    ],
    reason: Annotated[str, typer.Option(help="Why it is not to count; kept with the withdrawal.")] = "",
    undo: Annotated[bool, typer.Option("--undo", help="Let it count again.")] = False,
) -> None:
    """Let a landed delivery count no longer, wherever it came from; its file stays in the raw zone."""
    from nh_pipeline.cli.show import safe
    from nh_pipeline.landing.confirmations import readmit
    from nh_pipeline.landing.confirmations import withdraw as record

    if not undo and not reason.strip():
        stop("--reason TEXT is needed: it is kept with the withdrawal", USAGE)
    lake = lake_of(read_settings())
    delivery = _delivery(lake, id_)
    name = safe(delivery.manifest.name)
    if undo:
        if not readmit(lake.storage, delivery):
            stop(f"{delivery.manifest.name} is not withdrawn by a person", USAGE)
        console.print(f"{name} may count again; nh materialize builds what that changes", soft_wrap=True)
        return
    record(lake.storage, delivery, reason=reason.strip())
    console.print(f"withdrew {name}; nh materialize builds what that changes", soft_wrap=True)


def rebuild(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="Such as gold.facility_measures.")],
    from_: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")] = None,
    to: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day, included.")] = None,
) -> None:
    """Build a table anew whether it is stale or not: all of it, or the days (bronze: the deliveries) of a range."""
    from nh_pipeline.cli.running import execute_runs
    from nh_pipeline.model.table import REJECTS
    from nh_pipeline.orchestration.parts import asset_key
    from nh_pipeline.orchestration.runs import SelectionError, forget, selected

    declared = _table(table)
    if declared is REJECTS:
        stop(f"{declared.name} is written with the other tables: rebuild the table whose lines it shows", USAGE)
    start, end = (d.date() if d else None for d in (from_, to))
    if start and end and start > end:
        stop(f"--from {start} is after --to {end}", USAGE)
    if not declared.partitioning.columns and (start or end):
        stop(f"{declared.name} is always built as a whole: leave --from and --to out", USAGE)
    settings = read_settings()
    try:
        runs = selected(settings, [asset_key(declared).to_user_string()], start, end)
    except SelectionError as error:
        stop(str(error), USAGE)
    forget(settings, declared, start, end)
    execute_runs(settings, [runs])


def _delivery(lake: Lake, begins: str) -> Delivery:
    """The one landed content whose id begins so, or whose file has this name."""
    from nh_pipeline.cli.show import safe
    from nh_pipeline.landing import RawZone

    landed = RawZone(lake.storage).deliveries()
    named = {d.delivery_id: d for d in landed if d.manifest.name == begins}
    found = {d.delivery_id: d for d in landed if begins and d.delivery_id.startswith(begins)} or named
    if len(found) != 1:
        ids = ", ".join(f"{i[:12]} (modified {d.manifest.modified_at:%Y-%m-%d})" for i, d in found.items())
        told = f"{len(found)} deliveries have an id that begins with {begins!r}, or this name"
        stop(f"{safe(told)}{ids and ': '}{ids}", USAGE)
    return found[next(iter(found))]


def _table(name: str) -> Table:
    from nh_pipeline.tables import tables

    found = [t for t in tables() if name in (t.name, t.short)]
    if len(found) != 1:
        stop(f"no table {name}; there are {', '.join(t.name for t in tables())}", USAGE)
    return found[0]
