"""``nh quarantine``: what was set aside, why, and how it is taken after all."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from nh_pipeline.cli.terminal import FAILED, QUARANTINED, USAGE, console, lake_of, read_settings, stop

if TYPE_CHECKING:
    from nh_pipeline.landing import RawZone
    from nh_pipeline.pipeline.quarantine import SetAside

app = typer.Typer(
    help="Deliveries in quarantine, held, or refused: list and show them, and take them after all.",
    no_args_is_help=True,
)
_NAME, _LINE = 60, 200
"""Characters shown of a name in the list, and of a line."""

_Id = Annotated[str, typer.Argument(metavar="ID", help="md5 of the file, or its beginning (nh quarantine list).")]


@app.command(name="list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """List what is in quarantine, and deliveries that are held or were refused later."""
    from nh_pipeline.cli.show import plain_table, safe

    _, entries = _open()
    if as_json:
        sys.stdout.write(json.dumps([e.model_dump(mode="json") for e in entries], indent=1) + "\n")
        return
    if not entries:
        console.print("nothing is set aside")
        return
    table = plain_table("id", "state", "file", "why")
    for e in entries:
        why = e.reason.removeprefix(f"{e.name}: ")
        table.add_row(e.id[:12], e.state, safe(e.name[:_NAME]), safe(why))
    console.print(table)
    console.print("nh quarantine show ID tells everything")


@app.command()
def show(id_: _Id) -> None:
    """Show everything about a delivery that was set aside, and its first lines."""
    from nh_pipeline.cli.show import plain_table, safe
    from nh_pipeline.pipeline.quarantine import beginning

    zone, entries = _open()
    for e in _chosen(entries, id_):
        table = plain_table("", "")
        told = {
            "file": e.name,
            "id": e.id,
            "state": e.state,
            "source": f"{e.source}, file {e.file_id}",
            "size": f"{e.size:,} bytes",
            "modified": f"{e.modified_at:%Y-%m-%d %H:%M:%S %Z}",
            "came": f"{e.landed_at:%Y-%m-%d %H:%M:%S %Z}",
            "coverage": e.coverage,
            "reason": e.reason.removeprefix(f"{e.name}: "),
            "expected": e.expected,
            "found": e.found,
            "what to do": e.what_to_do,
            "kept as": e.file,
        }
        for key, value in told.items():
            if value:
                table.add_row(key, safe(value))
        console.print(table)
        if e.lines_refused:
            console.print(f"{e.lines_refused:,} lines refused{', the first of them:' * bool(e.rejects)}")
        for reject in e.rejects:
            console.print(f"  {safe(reject[:_LINE])}")
        lines = beginning(zone, e)
        console.print("begins with" if lines else "begins with nothing that can be read, or be shown")
        for line in lines:
            cut = line[:_LINE] + ("…" if len(line) > _LINE else "")
            console.print(f"  {safe(cut)}")


@app.command()
def admit(
    id_: Annotated[str, typer.Argument(metavar="[ID]", help="As for show; none for all of the quarantine.")] = "",
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Take it although it is held or unpacks to too much.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why; kept with the delivery.")] = "",
    dates: Annotated[
        str, typer.Option(metavar="month-first|day-first", help="The order of its dates, if nothing in the file tells.")
    ] = "",
) -> None:
    """Judge what is in quarantine again, without its source; with --confirm, take what a person may take."""
    from nh_pipeline.cli.show import safe
    from nh_pipeline.landing import LandingError
    from nh_pipeline.landing.dates import ORDERS
    from nh_pipeline.pipeline.quarantine import admit as take

    if confirm != bool(reason.strip()) or (confirm and not id_):
        stop("--confirm needs an ID and --reason TEXT, and --reason needs --confirm", USAGE)
    order = next((known for known in ORDERS if known == dates), None)
    if dates and (not order or not confirm):
        stop(f"--dates is one of {', '.join(ORDERS)} and needs an ID, --confirm and --reason TEXT", USAGE)
    zone, entries = _open()
    chosen = _chosen(entries, id_) if id_ else [e for e in entries if e.state == "quarantined"]
    for e in chosen:
        if order and not e.undecided_dates:
            stop(
                f"--dates is for files that are in quarantine for the order of their dates; {safe(e.name)} is "
                f"{e.state} for another reason: nh quarantine show {e.id[:12]}",
                USAGE,
            )
    left = 0
    for e in chosen:
        try:
            done = take(zone, e, confirmed=reason.strip() if confirm else None, order=order)
        except LandingError as error:
            stop(str(error), FAILED)
        left += not done.taken
        word = "[green]admitted[/]" if done.taken else f"[red]{e.state}[/]"
        console.print(f"{word} {safe(e.name)}: {safe(done.told)}")
    console.print(f"{len(chosen) - left} admitted, {left} still set aside")
    if left:
        raise typer.Exit(QUARANTINED)


def _open() -> tuple[RawZone, list[SetAside]]:
    from nh_pipeline.landing import RawZone
    from nh_pipeline.pipeline.quarantine import set_aside

    lake = lake_of(read_settings())
    zone = RawZone(lake.storage)
    return zone, set_aside(lake, zone)


def _chosen(entries: list[SetAside], begins: str) -> list[SetAside]:
    """All entries of the one content whose id begins so: it may have come under several names."""
    found = [e for e in entries if begins and e.id.startswith(begins)]
    if (known := len({e.id for e in found})) != 1:
        stop(f"{known} deliveries that are set aside have an id that begins with {begins!r}; nh quarantine list", USAGE)
    return found
