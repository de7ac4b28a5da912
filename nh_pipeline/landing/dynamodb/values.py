"""Values of an item: what they must be to be taken, and what they are then.

What belongs here: one item. Not here: lines and files (:mod:`nh_pipeline.landing.dynamodb.reading`).

DynamoDB writes each value as an object whose one key is its type. So a map that has attributes called ``S`` or ``N`` is
told from a text or a number; whatever guesses by the keys takes one for the other.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from decimal import Context, Decimal
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from nh_pipeline.datasets.treatments.attributes import ATTRIBUTES, TREATMENT_ID
from nh_pipeline.model.types import INSTANT, INTEGER, TEXT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nh_pipeline.datasets.treatments.attributes import Attribute

    Tagged = Mapping[str, Any]
    """A value as DynamoDB writes it: its type, and what it is."""

    Makes = Callable[[str, str, Attribute], str | None]
    """Makes text of what is written, by its type and attribute; None if it does not fit."""

    Fit = Callable[[str, str], tuple[str | None, bool]]
    """The text of a value, None if it is blank, and whether it is coerced: by its type, and how it is written."""

_KINDS = {
    "S": "text", "N": "a number", "B": "bytes", "BOOL": "a boolean", "NULL": "nothing", "M": "a map", "L": "a list",
    "SS": "a set of texts", "NS": "a set of numbers", "BS": "a set of bytes",
}  # fmt: skip

_TYPES: dict[str, type] = {
    "S": str, "N": str, "B": str, "BOOL": bool, "NULL": bool, "M": dict, "L": list, "SS": list, "NS": list, "BS": list,
}  # fmt: skip

_SCALARS = {"S": "other text", "N": "another number"}
"""Types that columns are made of, and what one is called that does not fit."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_EXACTLY = Context(prec=400)
"""More digits than a number of DynamoDB has when it is written out (38, and an exponent up to 125)."""

_REMEMBERED = 1 << 12
"""Of each path, so many values are kept as they were read. Items repeat most of them: they are read once."""

_LONG = 100
"""From so many characters on, a value is not kept."""

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


class Read(msgspec.Struct, gc=False):
    """An item, read. There are many at once: garbage collection need not look at them.

    Attributes:
        values: text of every attribute, in their order; None where it has none.
        coerced: names of those that had another type, or only the day of a time.
        extras: what else it has, by path.
    """

    values: tuple[str | None, ...]
    coerced: tuple[str, ...] = ()
    extras: dict[str, Any] = {}


def read(item: Tagged) -> Read:
    """All attributes of an item.

    Raises:
        Unfit: a value cannot be taken, or it has no treatment id.
    """
    found: list[Tagged | None] = [None] * len(_WAYS)
    extras = dict[str, Any]()
    _look(item, _TREE, "", found, extras)
    values, coerced = _fitted(found, _WAYS)
    if values[0] is None:
        raise Unfit(TREATMENT_ID.paths[0], _expected(TREATMENT_ID), "nothing")
    return Read(values, coerced, extras)


def treatment_id(item: Tagged) -> str | None:
    """Its treatment, if that can be read."""
    found: list[Tagged | None] = [None] * len(_WAYS)
    try:
        _look(item, _TREE, "", found, {})
        values, _ = _fitted(found[: len(TREATMENT_ID.paths)], _WAYS[: len(TREATMENT_ID.paths)])
    except Unfit:
        return None
    return values[0]


def _fitted(
    found: list[Tagged | None], ways: Sequence[tuple[int, str, Fit, Fit]]
) -> tuple[tuple[str | None, ...], tuple[str, ...]]:
    """Text of every attribute, of the first place that has one; and which are coerced."""
    values: list[str | None] = [None] * len(ATTRIBUTES)
    coerced = list[str]()
    for value, (at, path, fit, kept) in zip(found, ways, strict=True):
        if value is None or values[at] is not None:
            continue
        ((kind, written),) = value.items() if type(value) is dict and len(value) == 1 else (("", None),)
        if type(written) is not str:
            raise Unfit(path, _expected(ATTRIBUTES[at]), _KINDS[_kind(value, path)])
        values[at], is_coerced = (kept if len(written) < _LONG else fit)(kind, written)
        if is_coerced:
            coerced.append(ATTRIBUTES[at].name)
    return tuple(values), tuple(coerced)


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


def _tree() -> dict[str, Any]:
    """Where attributes are: names to further names, or to the number of a path among all."""
    tree = dict[str, Any]()
    for place, path in enumerate(path for attribute in ATTRIBUTES for path in attribute.paths):
        *above, name = path.split(".")
        at = tree
        for one in above:
            at = at.setdefault(one, {})
        at[name] = place
    return tree


_TREE = _tree()


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
    if type(inner) is not _TYPES.get(kind) or not _is_sound(kind, inner):
        raise Unfit(path, "a value with its type, as DynamoDB writes it", "another object")
    return kind


def _is_sound(kind: str, inner: Any) -> bool:
    """Whether numbers are numbers, and what is in sets is text, as all scalars are."""
    if kind == "N":
        return _NUMBER.fullmatch(inner) is not None
    ones = inner if kind in ("SS", "NS", "BS") else ()
    return all(isinstance(one, str) and (kind != "NS" or _NUMBER.fullmatch(one)) for one in ones)


def _fitting(attribute: Attribute, path: str) -> Fit:
    """What reads the values of an attribute that are found there."""
    makes = _MAKES.get(attribute.column.type.name, _text)

    def fit(kind: str, written: str) -> tuple[str | None, bool]:
        if _kind({kind: written}, path) not in _SCALARS:
            raise Unfit(path, _expected(attribute), _KINDS[kind])
        stripped = written.strip()
        if not stripped:
            return None, False
        text = makes(stripped, kind, attribute)
        if text is None:
            raise Unfit(path, _expected(attribute), _SCALARS[kind])
        is_day = attribute.is_time and kind == "S" and len(stripped) <= _DAY
        return text, is_day or kind not in attribute.types

    return fit


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
    most, unit = _limits(*attribute.column.type.arguments)
    number = _decimal(written)
    if number is None or abs(number) >= most:
        return None
    cut = number.quantize(unit, context=_EXACTLY)
    return f"{cut:f}" if cut == number else None


@cache
def _limits(precision: int, scale: int) -> tuple[Decimal, Decimal]:
    """Of a decimal: below which a number must be, and its last digit."""
    return Decimal(10) ** (precision - scale), Decimal(1).scaleb(-scale)


def _decimal(written: str) -> Decimal | None:
    return Decimal(written) if _NUMBER.fullmatch(written) else None


def _instant(written: str, kind: str, _attribute: Attribute) -> str | None:
    """A time in UTC, to the microsecond; without a zone it is taken to be in UTC, too."""
    at = _of_epoch(written) if kind == "N" else _of_text(written)
    return None if at is None else f"{at.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


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


def _of_text(written: str) -> datetime | None:
    for rest in _LEFT_OUT:
        if at := _utc(f"{written}{rest}"):
            return at
    return None


def _utc(written: str) -> datetime | None:
    try:
        at = msgspec.convert(written, datetime)
        return at.replace(tzinfo=timezone.utc) if at.tzinfo is None else at.astimezone(timezone.utc)
    except (msgspec.ValidationError, OverflowError):
        return None


_MAKES: dict[str, Makes] = {"int": _whole, "bigint": _whole, "decimal": _exact, "timestamp": _instant}
_FITS = [
    (number, path, _fitting(attribute, path)) for number, attribute in enumerate(ATTRIBUTES) for path in attribute.paths
]
_WAYS = [(number, path, fit, lru_cache(_REMEMBERED)(fit)) for number, path, fit in _FITS]
"""All paths, those of the treatment's id first: the number of their attribute, and what reads the values there."""
