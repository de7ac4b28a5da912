"""``nh quicksight``: what Amazon QuickSight is to be asked for."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from nh_pipeline.cli.terminal import USAGE, read_settings, stop


def quicksight(
    data_source: Annotated[str, typer.Option(help="ARN of QuickSight's data source on Athena.")],
    owner: Annotated[str, typer.Option(help="ARN of the user or group of QuickSight that gets what is made.")],
) -> None:
    """Print the requests that make QuickSight's data sets and analysis of the clinical views, as JSON."""
    from nh_pipeline.queries.quicksight import requests
    from nh_pipeline.queries.views import selected_views
    from nh_pipeline.tables import tables

    prefix = read_settings().database_prefix
    try:
        made = requests(data_source, owner, views=selected_views(), tables=tables(), prefix=prefix)
    except ValueError as error:
        stop(f"--data-source {error}", USAGE)
    if not made["data_sets"]:
        stop("the clinical domain is not selected: see NH_DOMAINS", USAGE)
    json.dump(made, sys.stdout, indent=2)
    sys.stdout.write("\n")
