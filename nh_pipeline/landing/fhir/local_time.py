"""Times of a system that writes them in UTC, as the clock of the facility shows them: the same instants."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

_UTC = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2})(:[0-9]{2}(?:\.[0-9]+)?)?(?:Z|[+-]00:00)")


def localized(element: Any, zone: str) -> Any:
    """An element of a resource, with every time in UTC that it holds rewritten; all else stays as it is."""
    if type(element) is dict:
        return {name: localized(value, zone) for name, value in element.items()}
    if type(element) is list:
        return [localized(value, zone) for value in element]
    if type(element) is str and (utc := _UTC.fullmatch(element)):
        return _local(element, *utc.groups(""), zone)
    return element


@lru_cache(10_000)
def _local(written: str, minute: str, rest: str, zone: str) -> str:
    try:
        local = datetime.fromisoformat(minute).replace(tzinfo=timezone.utc).astimezone(ZoneInfo(zone))
    except (ValueError, OverflowError):
        return written  # no day of the calendar: silver says so
    day, _, offset = f"{local:%Y-%m-%dT%H:%M %z}".partition(" ")
    return f"{day}{rest}{offset[:3]}:{offset[3:5]}"
