"""``nh drive``: whether the Google Drive folder can be read, and what it would deliver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from nh_pipeline.cli.terminal import FAILED, USAGE, console, read_settings, stop

if TYPE_CHECKING:
    from nh_pipeline.sources.google_drive import DriveSource
    from nh_pipeline.sources.protocol import SourceFile

app = typer.Typer(help="Deliveries from a Google Drive folder.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """A group, though it has one command."""


@app.command()
def check(
    source: Annotated[str, typer.Option(help="gdrive://<folder id> (default: NH_SOURCE).")] = "",
) -> None:
    """Say whether credentials, folder and permissions work, and list what would be delivered."""
    from nh_pipeline.cli.show import safe
    from nh_pipeline.sources.opening import DRIVE, open_drive
    from nh_pipeline.sources.protocol import SourceUnavailable

    settings = read_settings()
    address = source or settings.source_folder
    if not address.startswith(DRIVE):
        stop(f"{address} is no folder of Google Drive: set NH_SOURCE, or --source, to {DRIVE}<folder id>", USAGE)
    credentials = settings.drive_credentials.get_secret_value() if settings.drive_credentials else ""
    try:
        opened = open_drive(address, credentials=credentials, endpoint=settings.drive_endpoint)
        console.print(f"credentials   read, of {opened.account}", markup=False)
        folder = opened.about()
        where = "on a shared drive" if folder.drive else "in My Drive"
        console.print(f"folder        {folder.name!r}, {where}: it can be seen", markup=False)
        changes = opened.changes()
        table, unread = _deliveries(opened, changes.files)
    except SourceUnavailable as error:
        stop(str(error), FAILED)
    for unusable in changes.unusable:
        table.add_row(safe(unusable.name), "-", "-", safe(f"not delivered: {unusable.reason}"))
    console.print(f"permissions   {len(changes.files) - unread} of {len(changes.files)} files can be read")
    if table.row_count:
        console.print(table)
    if unread:
        raise typer.Exit(FAILED)


def _deliveries(source: DriveSource, files: list[SourceFile]) -> tuple[Table, int]:
    """What each file would be, by its beginning, and how many could not be read."""
    from nh_pipeline.cli.show import safe
    from nh_pipeline.landing.refused import Refused
    from nh_pipeline.landing.selection import recognised
    from nh_pipeline.sources.protocol import SourceUnavailable

    table, unread = Table("file", "bytes", "modified", "would be delivered as"), 0
    for file in files:
        try:
            found = recognised(source, file)
            told = f"{found.dataset} {found.coverage.key}"
        except Refused as error:
            told = f"quarantine: {error}"
        except SourceUnavailable as error:
            unread += 1
            told = f"nothing: {error}"
        table.add_row(safe(file.name), f"{file.size:,}", f"{file.modified_at:%Y-%m-%d %H:%M}", safe(told))
    return table, unread
