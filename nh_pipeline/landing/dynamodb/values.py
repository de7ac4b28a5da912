"""Values of an item: what they must be to be taken, and what they are then.

What belongs here: one item. Not here: lines and files (:mod:`nh_pipeline.landing.dynamodb.reading`).

DynamoDB writes each value as an object whose one key is its type. So a map that has attributes called ``S`` or ``N`` is
told from a text or a number; whatever guesses by the keys takes one for the other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Context, Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from nh_pipeline.datasets.treatments.attributes import ATTRIBUTES, TREATMENT_ID
from nh_pipeline.model.types import INSTANT, INTEGER, TEXT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nh_pipeline.datasets.treatments.attributes import Attribute

    Tagged = Mapping[str, Any]
    """A value as DynamoDB writes it: its type, and what it is."""

    Fits = Callable[[str, str, Attribute], str | None]
    """Makes text of what is written, by its type and attribute; None if it does not fit."""

_KINDS = {
    "S": "text", "N": "a number", "B": "bytes", "BOOL": "a boolean", "NULL": "nothing", "M": "a map", "L": "a list",
    "SS": "a set of texts", "NS": "a set of numbers", "BS": "a set of bytes",
}  # fmt: skip

_SCALARS = {"S": "other text", "N": "another number"}
"""Types that columns are made of, and what one is called that does not fit."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_EXACTLY = Context(prec=400)
"""More digits than a number of DynamoDB has when it is written out (38, and an exponent up to 125)."""

_SHORT = 10
"""Fewer digits than this are a whole number of any type."""

_DAY = len("2024-01-05")

_SECONDS = Decimal(10) ** 11
"""From here on, an epoch is in milliseconds: as seconds it would be in the year 5138."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Unfit(Exception):  # noqa: N818 (an outcome that is kept and shown)
    """A value that cannot be taken: where, what was expected, and the kind of what is there, never what it is."""

    def __init__(self, path: str, expected: str, found: str) -> None:
        super().__init__(f"{path}: expected {expected}, found {found}")
        self.path, self.expected, self.found = path, expected, found


@dataclass(slots=True)
class Read:
    """An item, read.

    Attributes:
        values: text of every attribute, in their order; None where it has none.
        coerced: names of those that had another type, or only the day of a time.
        extras: what else it has, by path.
    """

    values: list[str | None]
    coerced: list[str] = field(default_factory=list)
    extras: dict[str, Any] = field(default_factory=dict)


def read(item: Tagged) -> Read:
    """All attributes of an item.

    Raises:
        Unfit: a value cannot be taken, or it has no treatment id.
    """
    found: list[Tagged | None] = [None] * len(_PATHS)
    made = Read([])
    _look(item, _TREE, "", found, made.extras)
    for attribute, fits, places in _ATTRIBUTES:
        text = None
        for place in places:
            value = found[place]
            if text is None and value is not None:
                text = _fit(attribute, fits, _PATHS[place], value, made.coerced)
        made.values.append(text)
    if made.values[_OF_TREATMENT] is None:
        raise Unfit(TREATMENT_ID.paths[0], _expected(TREATMENT_ID), "nothing")
    return made


def treatment_id(item: Tagged) -> str | None:
    """Its treatment, if that can be read."""
    found: list[Tagged | None] = [None] * len(_PATHS)
    try:
        _look(item, _TREE, "", found, {})
        _, fits, places = _ATTRIBUTES[_OF_TREATMENT]
        values = (value for place in places if (value := found[place]) is not None)
        return next((_fit(TREATMENT_ID, fits, "", value, []) for value in values), None)
    except Unfit:
        return None


def plain(value: Tagged, path: str = "") -> Any:
    """A value without types: numbers are text, so that they keep their digits; sets are sorted.

    Raises:
        Unfit: it is no value of DynamoDB.
    """
    kind = _kind(value, path)
    inner = value[kind]
    if kind == "M":
        return {name: plain(one, f"{path}.{name}") for name, one in inner.items()}
    if kind == "L":
        return [plain(one, path) for one in inner]
    if kind == "NS":
        return sorted(inner, key=lambda number: (Decimal(number), number))
    if kind in ("SS", "BS"):
        return sorted(inner)
    return None if kind == "NULL" else inner


def _tree() -> tuple[dict[str, Any], list[str]]:
    """Where attributes are: names to further names, or to the place of a path; and all paths."""
    tree, paths = dict[str, Any](), [path for attribute in ATTRIBUTES for path in attribute.paths]
    for place, path in enumerate(paths):
        *above, name = path.split(".")
        at = tree
        for one in above:
            at = at.setdefault(one, {})
        at[name] = place
    return tree, paths


_TREE, _PATHS = _tree()
_OF_TREATMENT = ATTRIBUTES.index(TREATMENT_ID)


def _look(
    item: Tagged, tree: Mapping[str, Any], above: str, found: list[Tagged | None], extras: dict[str, Any]
) -> None:
    for name, value in item.items():
        known = tree.get(name)
        if type(value) is dict and "NULL" in value:
            continue
        if type(known) is int:
            found[known] = value
        elif type(known) is dict and type(value) is dict and type(value.get("M")) is dict:
            _look(value["M"], known, f"{above}{name}.", found, extras)
        else:
            extras[f"{above}{name}"] = plain(value, f"{above}{name}")


def _kind(value: Any, path: str) -> str:
    """The type of a value of DynamoDB."""
    kind = next(iter(value), "") if type(value) is dict and len(value) == 1 else ""
    if kind == "S" and type(value[kind]) is str:
        return kind
    inner = value[kind] if kind in _KINDS else None
    expects: type = {"M": dict, "BOOL": bool, "NULL": bool}.get(kind, list if kind[1:] or kind == "L" else str)
    if kind not in _KINDS or type(inner) is not expects or not _is_sound(kind, inner):
        raise Unfit(path, "a value with its type, as DynamoDB writes it", "another object")
    return kind


def _is_sound(kind: str, inner: Any) -> bool:
    """Whether numbers are numbers, and what is in sets is text, as all scalars are."""
    if kind == "N":
        return _NUMBER.fullmatch(inner) is not None
    ones = inner if kind in ("SS", "NS", "BS") else ()
    return all(isinstance(one, str) and (kind != "NS" or _NUMBER.fullmatch(one)) for one in ones)


def _fit(attribute: Attribute, fits: Fits, path: str, value: Tagged, coerced: list[str]) -> str | None:
    """The text of a value; None if it is blank."""
    kind = _kind(value, path)
    if kind not in _SCALARS:
        raise Unfit(path, _expected(attribute), _KINDS[kind])
    written = value[kind].strip()
    if not written:
        return None
    text = fits(written, kind, attribute)
    if text is None:
        raise Unfit(path, _expected(attribute), _SCALARS[kind])
    if kind not in attribute.types or (attribute.is_time and kind == "S" and len(written) <= _DAY):
        coerced.append(attribute.name)
    return text


def _expected(attribute: Attribute) -> str:
    column = attribute.column
    if column.type in (INSTANT, TEXT):
        return "text" if column.type == TEXT else "a date or time (ISO 8601), or seconds or milliseconds since 1970"
    more = [column.allowed.words] if column.allowed else [column.type.sql] if column.type.arguments else []
    return ", ".join([column.expects, *more])


def _text(written: str, _kind_of: str, _attribute: Attribute) -> str | None:
    return written


def _whole(written: str, _kind_of: str, attribute: Attribute) -> str | None:
    """A whole number, also when written ``5.0`` or ``1E+2``."""
    if len(written) < _SHORT and written.isascii() and written.isdigit() and written[0] != "0":
        return written
    number = _decimal(written)
    most = 2**31 if attribute.column.type is INTEGER else 2**63
    if number is None or abs(number) >= most or number != number.to_integral_value(context=_EXACTLY):
        return None
    return None if attribute.column.allowed and number < 0 else str(int(number))


def _exact(written: str, _kind_of: str, attribute: Attribute) -> str | None:
    """A number with the decimals of its column: what has more of them is not rounded."""
    precision, scale = attribute.column.type.arguments
    number = _decimal(written)
    if number is None or abs(number) >= Decimal(10) ** (precision - scale):
        return None
    cut = number.quantize(Decimal(1).scaleb(-scale), context=_EXACTLY)
    return f"{cut:f}" if cut == number else None


def _decimal(written: str) -> Decimal | None:
    return Decimal(written) if _NUMBER.fullmatch(written) else None


def _instant(written: str, kind: str, _attribute: Attribute) -> str | None:
    """A time in UTC, to the microsecond; without a zone it is taken to be in UTC, too."""
    at = _of_epoch(written) if kind == "N" else _of_text(written)
    return None if at is None else f"{at:%Y-%m-%dT%H:%M:%S.%fZ}".rjust(27, "0")


def _of_epoch(written: str) -> datetime | None:
    number = _decimal(written)
    if number is None or abs(number) > _SECONDS * 1000:
        return None
    micros = number * (10**6 if abs(number) < _SECONDS else 10**3)
    try:
        return _EPOCH + _MICROSECOND * int(micros)
    except OverflowError:
        return None


_MICROSECOND = datetime.resolution
_LEFT_OUT = ("", "T00:00:00", ":00")
"""What makes a time of what is written: nothing; of a day its midnight; of a time without seconds the full minute."""


@lru_cache(1 << 14)
def _of_text(written: str) -> datetime | None:
    """Lines repeat days and times: most are read once."""
    return next((at for rest in _LEFT_OUT if (at := _utc(f"{written}{rest}"))), None)


def _utc(written: str) -> datetime | None:
    try:
        at = msgspec.convert(written, datetime)
        return at.replace(tzinfo=timezone.utc) if at.tzinfo is None else at.astimezone(timezone.utc)
    except (msgspec.ValidationError, OverflowError):
        return None


_FITS: dict[str, Fits] = {"int": _whole, "bigint": _whole, "decimal": _exact, "timestamp": _instant}
_ATTRIBUTES = [
    (attribute, _FITS.get(attribute.column.type.name, _text), [_PATHS.index(path) for path in attribute.paths])
    for attribute in ATTRIBUTES
]
"""Each attribute, what makes its text, and where it may be."""
