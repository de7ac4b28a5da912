"""``nh relocate``: a lake that was moved, copied or restored is made to know where it is."""

from __future__ import annotations

import typer
from rich.console import Console

console, errors = Console(), Console(stderr=True)

_FAILED = 1


def relocate() -> None:
    """Correct the addresses of a lake that was moved, copied or restored; an original is not touched."""
    from nh_pipeline.errors import LakeError
    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.lake.relocate import relocate as corrected
    from nh_pipeline.settings import Settings

    settings = Settings()
    try:
        tables = corrected(Lake(settings.home, settings.catalog_properties))
    except LakeError as error:
        errors.print(str(error), style="red", highlight=False, markup=False)
        raise typer.Exit(_FAILED) from error
    for table in tables:
        found = f"snapshots: {table.snapshots:,}, data files: {table.files:,}"
        console.print(f"{table.table}: {found}, was {table.was}", highlight=False, markup=False)
    told = f"{len(tables)} table{'s' * (len(tables) != 1)} relocated to {settings.home}" if tables else ""
    console.print(told or "nothing to do: the lake is where its catalog says", highlight=False, markup=False)
