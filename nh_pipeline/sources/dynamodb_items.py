"""When an item of DynamoDB was modified, as it says itself: ``metadata.modified_at``, or ``metadata_modified_at``.

What belongs here: reading that one value of an item as DynamoDB writes it, and what DynamoDB is asked so that no item
that may be of a window is left out. Not here: asking (:mod:`.dynamodb`), and the other values of an item.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

TOP = "metadata_modified_at"
"""The attribute beside the others of an item: a key of an index cannot be within a map."""

_NAMES = {"#metadata": "metadata", "#modified_at": "modified_at", "#top": TOP}
"""Placeholders: any name may be a reserved word."""

_PATHS = ("#metadata.#modified_at", "#top")
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_LAST_SECOND = 99_999_999_999
"""Numbers up to here are seconds since 1970 (until 5138), larger ones are milliseconds."""

_TAILS = ("", ":00", "T00:00:00")
"""What makes an instant of what is written: nothing, of one without seconds, of a date."""


class _Value(msgspec.Struct):
    S: str | None = None
    N: str | None = None

    @property
    def instant(self) -> datetime | None:
        return instant(self.S) if self.S is not None else epoch(self.N)


class _Metadata(msgspec.Struct):
    modified_at: _Value | None = None


class _Map(msgspec.Struct):
    M: _Metadata | None = None


class _Item(msgspec.Struct):
    metadata: _Map | None = None
    metadata_modified_at: _Value | None = None


_DECODER = msgspec.json.Decoder(_Item)


def modified_at(item: bytes | msgspec.Raw) -> datetime | None:
    """When an item was modified; None if it does not say so, or not in a way that can be read."""
    found = _DECODER.decode(item)
    own = found.metadata.M.modified_at if found.metadata and found.metadata.M else None
    at = own.instant if own else None
    return at if at or not found.metadata_modified_at else found.metadata_modified_at.instant


def instant(text: str) -> datetime | None:
    """An instant as ISO 8601 writes it, UTC if it names no zone; a date is its midnight."""
    return next((at for tail in _TAILS if (at := _instant(text.strip() + tail))), None)


def _instant(text: str) -> datetime | None:
    try:
        found = msgspec.convert(text, datetime)
        return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (msgspec.ValidationError, OverflowError):
        return None


def epoch(number: str | None) -> datetime | None:
    """An instant as seconds or milliseconds since 1970."""
    try:
        value = Decimal(number or "")
        return _EPOCH + timedelta(microseconds=int(value * (1_000_000 if value <= _LAST_SECOND else 1_000)))
    except (InvalidOperation, OverflowError, ValueError):
        return None


def bounds(since: datetime) -> dict[str, Any]:
    """Values below which nothing was modified since then, however it is written; :func:`modified_at` says the rest.

    A text is compared as a text: it may begin with the day before, as no time zone is a whole day away.
    """
    seconds = int(since.timestamp())
    return {
        ":day": {"S": (since - timedelta(days=1)).date().isoformat()},
        ":second": {"N": str(seconds)},
        ":last_second": {"N": str(_LAST_SECOND)},
        ":millisecond": {"N": str(seconds * 1_000)},
    }


def as_text(path: str) -> list[str]:
    """What a text fulfils that is within :func:`bounds`."""
    return [f"{path} >= :day"]


def as_number(path: str) -> list[str]:
    """What a number fulfils, one of them, that is within :func:`bounds`."""
    return [f"{path} BETWEEN :second AND :last_second", f"{path} >= :millisecond"]


def filtering(since: datetime) -> dict[str, Any]:
    """Parameters that keep the items away that were not modified since then; some are left that were not."""
    kinds = {"S": as_text, "N": as_number}
    conditions = [
        f"(attribute_type({path}, :{kind}) AND ({' OR '.join(within(path))}))"
        for path in _PATHS
        for kind, within in kinds.items()
    ]
    return {
        "FilterExpression": " OR ".join(conditions),
        "ExpressionAttributeNames": _NAMES,
        "ExpressionAttributeValues": {**bounds(since), **{f":{kind}": {"S": kind} for kind in kinds}},
    }
