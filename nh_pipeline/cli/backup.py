"""``nh backup``: a copy of the lake, made while it is in use."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from nh_pipeline.cli.terminal import FAILED, USAGE, console, lake_of, read_settings, stop


def backup(to: Annotated[str, typer.Argument(metavar="DEST", help="Folder, or s3://bucket/prefix.")]) -> None:
    """Copy the lake, with a catalog of its own, while others work with it; again copies only what is new."""
    from nh_pipeline.errors import LakeError
    from nh_pipeline.lake.backup import backup as copied
    from nh_pipeline.lake.storage import Storage
    from nh_pipeline.tables import tables

    settings = read_settings()
    lake, target = lake_of(settings), Storage(to)
    here, there = (Path(s.base) for s in (lake.storage, target))
    if lake.storage.local == target.local and (here == there or here in there.parents or there in here.parents):
        stop(f"{to} and the lake at {settings.home} are within each other: choose a place apart", USAGE)
    status = console.status("copying …") if console.is_terminal else nullcontext()
    try:
        with status as spinner:
            done = copied(lake, tables(), target, seen=lambda what: spinner.update(f"{what} …") if spinner else None)
    except LakeError as error:
        stop(str(error), FAILED)
    told = f"{done.files:,} files in {to}, {done.copied:,} of them copied now ({done.size / 1e6:,.1f} MB)"
    console.print(told, markup=False, soft_wrap=True)
