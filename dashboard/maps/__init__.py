"""Where states are on a map: shapes, and a grid of tiles of equal size on which small states can be read, too."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

_GRID = """
AK .  .  .  .  .  .  .  .  .  .  ME
.  .  .  .  .  .  .  .  .  .  VT NH
.  WA ID MT ND MN IL WI MI NY RI MA
.  OR NV WY SD IA IN OH PA NJ CT .
.  CA UT CO NE MO KY WV VA MD DE .
.  .  AZ NM KS AR TN NC SC DC .  .
GU .  .  .  OK LA MS AL GA .  .  .
HI .  .  .  TX .  .  .  .  FL .  PR
"""

TILES = {
    code: (column, row)
    for row, line in enumerate(_GRID.split("\n")[1:-1])
    for column, code in enumerate(line.split())
    if code != "."
}
"""Column and row of each state, of the District of Columbia, Guam and Puerto Rico, from the upper left."""


@cache
def shapes() -> dict[str, Any]:
    """TopoJSON with the feature ``states``, in pixels; a shape's name is the state's. Territories are not in it."""
    found: dict[str, Any] = json.loads(resources.files(__name__).joinpath("states-albers-10m.json").read_text())
    return found
