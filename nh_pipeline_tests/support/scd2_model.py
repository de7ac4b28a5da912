"""The SCD2 rules of the domain once more, in plain Python: one key and one release after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

UNKNOWN = object()
"""Nobody has told the value yet; in a table it is NULL."""


@dataclass(frozen=True)
class Release:
    """One release: what it says of each key. ``None`` for a key whose values were refused."""

    day: date
    delivery_id: str
    rows: Mapping[str, Mapping[str, Any] | None]
    lacking: frozenset[str] = frozenset()


@dataclass
class Version:
    key: str
    values: dict[str, Any]
    valid_from: date
    delivery_id: str
    is_reappearance: bool
    valid_to: date | None = None
    closed_reason: str | None = None


def versions(releases: Iterable[Release], columns: Sequence[str], caseless: frozenset[str]) -> list[Version]:
    ordered = sorted(releases, key=lambda r: r.day)
    keys = sorted({key for release in ordered for key in release.rows})
    return [version for key in keys for version in _history(key, ordered, columns, caseless)]


def _history(key: str, ordered: Sequence[Release], columns: Sequence[str], caseless: frozenset[str]) -> list[Version]:
    sometimes = frozenset().union(*(release.lacking for release in ordered))
    # What is known of a key outlives its absence. Columns that every layout has count as blank until they are told.
    known = {c: UNKNOWN if c in sometimes else None for c in columns}
    found: list[Version] = []
    current: Version | None = None

    def close(day: date, reason: str) -> None:
        if current is not None:
            current.valid_to, current.closed_reason = day, reason

    for release in ordered:
        if key not in release.rows:
            close(release.day, "absent")
            current = None
            continue
        told = {c: v for c, v in (release.rows[key] or {}).items() if c not in release.lacking}
        changed = any(
            known[c] is not UNKNOWN and _plain(c, known[c], caseless) != _plain(c, v, caseless) for c, v in told.items()
        )
        known |= told
        if current is not None and not changed:
            for c, value in told.items():
                if current.values[c] is UNKNOWN:
                    current.values[c] = value
            continue
        close(release.day, "changed")
        current = Version(key, dict(known), release.day, release.delivery_id, current is None and bool(found))
        found.append(current)
    return found


def _plain(column: str, value: Any, caseless: frozenset[str]) -> Any:
    return value.upper() if column in caseless and value is not None else value
