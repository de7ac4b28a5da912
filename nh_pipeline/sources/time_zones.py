"""Time zones of record systems that write all times in UTC: what the clocks of their facilities show.

``NH_LOCAL_TIME_ZONES`` names them by source: ``default=America/Chicago,east=America/New_York``. Read from the
environment itself, as landing, which asks, knows no settings; what it was told is in the manifest of each delivery.
"""

from __future__ import annotations

import os
from zoneinfo import ZoneInfo

VARIABLE = "NH_LOCAL_TIME_ZONES"


def zones() -> dict[str, str]:
    """Zones by source; none, unless the variable names some.

    Raises:
        ValueError: it is no list of sources and zones, or a zone is unknown.
    """
    found = {}
    for named in filter(None, (one.strip() for one in os.environ.get(VARIABLE, "").split(","))):
        source, _, zone = named.partition("=")
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            raise ValueError(
                f"{VARIABLE} names {named}: expected a source and a time zone of IANA's, such as "
                "default=America/Chicago"
            ) from None
        found[source] = zone
    return found
