"""What landing knows of an export before its rows are read: they carry it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nh_pipeline.model.view import UNNAMED

if TYPE_CHECKING:
    from datetime import date, datetime


@dataclass(frozen=True, kw_only=True)
class About:
    """What landing knows of a delivery.

    Attributes:
        delivery_id: md5 of the delivered file.
        name: of it.
        dt: day of the export.
        exported_at: when it was exported.
        modified_at: modified time at its source.
        source: the system that it is from.
        bases: addresses of the server that it is from, by which absolute references are its own.
        local_time_zone: zone of its facilities, if it writes times in UTC.
        full: types of which it has all that the server had.
        limited: whether it may only unpack to so much.
    """

    delivery_id: str
    name: str
    dt: date
    exported_at: datetime
    modified_at: datetime
    source: str = UNNAMED
    local_time_zone: str = ""
    bases: tuple[str, ...] = ()
    full: tuple[str, ...] = ()
    limited: bool = True
