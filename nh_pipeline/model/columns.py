"""Columns: name, meaning, unit, type, allowed values, and the header cells that CMS has used, said once.

From a :class:`Column` follow how a header is recognised, how text becomes a value, the reason of a reject, the gate's
rules, the schemas of all libraries, Dagster's metadata and the data dictionary. The functions below are the kinds that
tables are written in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nh_pipeline.model.rules import CCN, Allowed, AtLeast, Between, OneOf, Rule
from nh_pipeline.model.types import BOOLEAN, DATE, DOUBLE, INSTANT, INTEGER, TEXT, Type, exact

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column.

    Attributes:
        name: the name used everywhere.
        type: of its values, once they are typed; in bronze all are text.
        description: what the values mean.
        labels: header cells that CMS has used for it, in any case; none if it is computed.
        unit: what its numbers count.
        required: whether a file without it is refused.
        nullable: whether a value may be missing. If not, a line without it is refused.
        allowed: values that it may hold; None for all of its type.
        expects: what a value must be, in the reason of a reject.

    Raises:
        ValueError: its rule has no exact form in SQL.
    """

    name: str
    type: Type
    description: str
    labels: tuple[str, ...] = ()
    unit: str = ""
    required: bool = False
    nullable: bool = True
    allowed: Allowed | None = None
    expects: str = "a value"

    def __post_init__(self) -> None:
        try:
            self.allowed and self.allowed.sql(self.name, self.type)
        except ValueError as error:
            raise ValueError(f"{self.name}: the rule {self.allowed} has no exact SQL form: {error}") from None

    @property
    def source(self) -> str:
        """The header cell that CMS uses now; empty if it is computed."""
        return self.labels[0] if self.labels else ""

    @property
    def rules(self) -> tuple[Rule, ...]:
        """What the gate demands of its values."""
        found = []
        if not self.nullable:
            told = f"{self.name} is never NULL: look at the transform that fills it"
            found.append(Rule(f"{self.name}_not_null", f"`{self.name}` is not null", told))
        if self.allowed is not None:
            sql = self.allowed.sql(self.name, self.type)
            told = f"expected {sql.replace('`', '')}: such values belong in the rejects"
            found.append(Rule(f"{self.name}_{self.allowed.name}", sql, told))
        return tuple(found)

    def having(self, **changes: Any) -> Column:
        """The same column with other facts."""
        return replace(self, **changes)


def text(name: str, description: str, *labels: str, **more: Any) -> Column:
    """Text."""
    return Column(name=name, type=TEXT, description=description, labels=labels, **more)


def ccn(name: str, description: str, *labels: str, **more: Any) -> Column:
    """The CMS Certification Number of a facility, in capital letters; always there."""
    told = "a CCN of six characters (12A456; a leading zero may be lost)"
    return text(name, description, *labels, nullable=False, allowed=CCN, expects=told, **more)


def category(name: str, description: str, values: Sequence[str], *labels: str, **more: Any) -> Column:
    """Text out of a closed list."""
    told = f"one of {', '.join(values)}"
    return text(name, description, *labels, allowed=OneOf(tuple(values)), expects=told, **more)


def date(name: str, description: str, *labels: str, **more: Any) -> Column:
    """A calendar date."""
    return Column(name=name, type=DATE, description=description, labels=labels, **{"expects": "a date", **more})


def instant(name: str, description: str, **more: Any) -> Column:
    """A point in time, in UTC, to the microsecond."""
    return Column(name=name, type=INSTANT, description=description, **{"unit": "UTC", **more})


def integer(name: str, description: str, *labels: str, **more: Any) -> Column:
    """A whole number."""
    made = {"type": INTEGER, "expects": "a whole number", **more}
    return Column(name=name, description=description, labels=labels, **made)


def count(name: str, description: str, *labels: str, **more: Any) -> Column:
    """A whole number, not negative."""
    return integer(name, description, *labels, **{"allowed": AtLeast(0), **more})


def stars(name: str, description: str, *labels: str, **more: Any) -> Column:
    """A CMS star rating, 1 to 5; NULL where CMS gives none (its footnote says why)."""
    told = {"unit": "stars", "expects": "stars from 1 to 5", **more}
    return integer(name, description, *labels, allowed=Between(1, 5), **told)


def decimal(precision: int, scale: int, name: str, description: str, *labels: str, **more: Any) -> Column:
    """An exact number, not negative as nearly all that CMS publishes."""
    made = {"type": exact(precision, scale), "expects": "a number", **more}
    return Column(name=name, description=description, labels=labels, **made)


def hours(name: str, description: str, *labels: str, precision: int = 9, **more: Any) -> Column:
    """Paid hours, exact to the cent of an hour; always there."""
    made = {"unit": "paid hours", "allowed": AtLeast(0), "expects": "paid hours, at most two decimals", **more}
    return decimal(precision, 2, name, description, *labels, nullable=False, **made)


def hprd(name: str, description: str, *labels: str, **more: Any) -> Column:
    """Paid hours per resident day, with CMS's five decimals."""
    made = {"unit": "hours per resident day", "expects": "hours per resident day, at most five decimals", **more}
    return decimal(9, 5, name, description, *labels, **made)


def percent(name: str, description: str, *labels: str, scale: int = 2, **more: Any) -> Column:
    """A percentage, 0 to 100 or more; NULL where CMS gives none."""
    return decimal(scale + 4, scale, name, description, *labels, **{"unit": "per cent", **more})


def degrees(name: str, description: str, *labels: str, most: int) -> Column:
    """Degrees of latitude or longitude, from ``-most`` to ``most``."""
    told = f"degrees from -{most} to {most}, at most six decimals"
    limits = Between(-most, most)
    return decimal(9, 6, name, description, *labels, unit="degrees", allowed=limits, expects=told)


def money(name: str, description: str, *labels: str, **more: Any) -> Column:
    """US dollars, exact to the cent."""
    made = {"unit": "US dollars", "allowed": AtLeast(0), "expects": "US dollars, at most two decimals", **more}
    return decimal(14, 2, name, description, *labels, **made)


def ratio(name: str, description: str, *, unit: str) -> Column:
    """A quotient, computed once as double precision; NULL where its denominator is 0 or unknown."""
    return Column(name=name, type=DOUBLE, description=description, unit=unit, allowed=AtLeast(0))


def flag(name: str, description: str) -> Column:
    """True where the row has the property."""
    return Column(name=name, type=BOOLEAN, description=description, nullable=False)


def yes_no(name: str, description: str, *labels: str, **more: Any) -> Column:
    """Yes or no, which CMS writes as Y or N; NULL where it says neither."""
    return Column(name=name, type=BOOLEAN, description=description, labels=labels, expects="Y or N", **more)
