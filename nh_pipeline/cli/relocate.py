"""``nh relocate``: a lake that was moved, copied or restored is made to know where it is."""

from __future__ import annotations

from nh_pipeline.cli.terminal import FAILED, console, read_settings, stop


def relocate() -> None:
    """Correct the addresses of a lake that was moved, copied or restored; an original is not touched."""
    from nh_pipeline.errors import LakeError
    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.lake.relocate import relocate as corrected

    settings = read_settings()
    try:
        tables = corrected(Lake(settings.home, settings.catalog_properties))
    except LakeError as error:
        stop(str(error), FAILED)
    for table in tables:
        found = f"snapshots: {table.snapshots:,}, data files: {table.files:,}"
        console.print(f"{table.table}: {found}, was {table.was}", markup=False)
    told = f"{len(tables)} table{'s' * (len(tables) != 1)} relocated to {settings.home}" if tables else ""
    console.print(told or "nothing to do: the lake is where its catalog says", markup=False)
