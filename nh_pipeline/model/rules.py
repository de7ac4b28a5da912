"""Rules: which values a column may hold, and what must be true of a row.

A rule on values is declared once and used in three ways: as SQL by the gate, as the reason of a reject, and as a check
of pandera. So each form here has an exact one in SQL: the same verdict as pandera's on every value but NULL, which no
rule looks at, and NaN, which is more than any number as Spark has it; on Sail and on the JVM. What has no such form is
refused when the module that declares it loads.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from nh_pipeline.model.types import BOOLEAN, DATE, DOUBLE, TEXT, Type

_MOST_DIGITS, _MOST_DECIMALS = 20, 18  # together 38: a comparison of two such decimals loses none
_EXACT_AS_DOUBLE = 2**53

# What a pattern may consist of, so that Python, Java and Rust read it alike: plain characters, classes of them, groups,
# alternatives and repetition. Not "\d" and "." (other characters in each), look-around, references, class arithmetic.
_ESCAPED = r"\\[nrt!-/:;=?-@\[-`{-~]"
_MEMBER = rf"(?:[^\\\[\]&~^-]|{_ESCAPED})"
_ATOM = rf"(?:[^\\\[\](){{}}.^$|?*+]|{_ESCAPED}|\[\^?(?:{_MEMBER}(?:-{_MEMBER})?)+\])"
_TIMES = r"(?:(?:[?*+]|\{[0-9]+(?:,[0-9]*)?\})\??)?"
_PLAIN = re.compile(rf"(?P<body>\^?(?:{_ATOM}{_TIMES}|\((?:\?:)?|\){_TIMES}|\|)*)(?P<end>\$)?")


@dataclass(frozen=True)
class Rule:
    """A rule over the columns of one row, as Spark SQL that is true (or NULL) where the row is right."""

    name: str
    sql: str
    advice: str
    blocking: bool = True


@dataclass(frozen=True)
class AtLeast:
    """Values of ``low`` or more."""

    low: Any
    name: ClassVar[str] = "at_least"

    @property
    def words(self) -> str:
        return f"at least {self.low}"

    def sql(self, column: str, dtype: Type) -> str:
        return f"`{column}` >= {literal(self.low, dtype)}"

    def pandera(self, pa: Any) -> Any:
        return pa.Check.ge(self.low)


@dataclass(frozen=True)
class Between:
    """Values from ``low`` to ``high``, both included."""

    low: Any
    high: Any
    name: ClassVar[str] = "between"

    @property
    def words(self) -> str:
        return f"{self.low} to {self.high}"

    def sql(self, column: str, dtype: Type) -> str:
        return f"`{column}` between {literal(self.low, dtype)} and {literal(self.high, dtype)}"

    def pandera(self, pa: Any) -> Any:
        return pa.Check.in_range(self.low, self.high)


@dataclass(frozen=True)
class OneOf:
    """Values of a closed list."""

    values: tuple[Any, ...]
    name: ClassVar[str] = "one_of"

    @property
    def words(self) -> str:
        return ", ".join(f"`{value}`" for value in self.values)

    def sql(self, column: str, dtype: Type) -> str:
        if not self.values:
            raise ValueError("expected at least one value, found none: such a list allows nothing")
        return f"`{column}` in ({', '.join(literal(value, dtype) for value in self.values)})"

    def pandera(self, pa: Any) -> Any:
        return pa.Check.isin(list(self.values))


@dataclass(frozen=True)
class Matches:
    """Text that matches a pattern from its start; ``$`` is the very end of the text.

    Attributes:
        pattern: the pattern.
        called: what people call it; empty for the pattern itself.
    """

    pattern: str
    called: str = ""
    name: ClassVar[str] = "matches"

    @property
    def words(self) -> str:
        return self.called or f"`{self.pattern}`"

    def sql(self, column: str, dtype: Type) -> str:
        if dtype != TEXT:
            raise ValueError(f"expected a column of text, found {dtype.sql}")
        return f"`{column}` rlike {_quoted(_anchored(self.pattern))}"

    def pandera(self, pa: Any) -> Any:
        return pa.Check.str_matches(self.pattern)


Allowed = AtLeast | Between | OneOf | Matches
"""Which values a column may hold: in words, as SQL that is true for valid values, as a check of pandera (``pa``)."""

CCN = Matches("^[0-9]{2}[0-9A-Z][0-9]{3}$", "CCN")
"""A CMS Certification Number: text of six, leading zeros, perhaps a letter in position 3."""


def literal(value: Any, dtype: Type) -> str:
    """A value in SQL, of the column's type or of one that compares with it without loss.

    Raises:
        ValueError: it is not of that type; nothing is converted.
    """
    found = None
    if dtype == TEXT and isinstance(value, str):
        found = _quoted(value)
    elif dtype == BOOLEAN and isinstance(value, bool):
        found = str(value).lower()
    elif dtype == DATE and isinstance(value, DATE.python) and not isinstance(value, datetime):
        found = f"date '{value.isoformat()}'"
    elif dtype.python in (int, float, Decimal) and not isinstance(value, bool):
        found = _number(value, dtype)
    if found is None:
        raise ValueError(
            f"expected a value that compares exactly with {dtype.sql}, found {value!r} ({type(value).__name__}): write "
            "it in the column's own type"
        )
    return found


def _number(value: Any, dtype: Type) -> str | None:
    if dtype.python is int:
        return str(int(value)) if isinstance(value, int) and abs(value) < 2**63 else None
    if dtype == DOUBLE:
        if isinstance(value, int):
            return str(int(value)) if abs(value) <= _EXACT_AS_DOUBLE else None
        finite = isinstance(value, float) and abs(value) < float("inf")
        return f"{float(value)!r}D" if finite else None
    if not isinstance(value, (int, Decimal)):
        return None
    exact = Decimal(value)
    if not exact.is_finite():
        return None
    precision, scale = dtype.arguments
    whole, _, decimals = format(abs(exact), "f").partition(".")
    digits = max(len(whole), precision - scale)
    fits = digits <= _MOST_DIGITS and max(len(decimals), scale) <= _MOST_DECIMALS
    return format(exact, "f") if fits else None


def _quoted(text: str) -> str:
    """Text in SQL. Spark puts variables in the place of ``${…}``, in literals too."""
    if "\0" in text:
        raise ValueError(f"expected text without NUL, found {text!r}: leave that out")
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\u0024{")
    return f"'{escaped}'"


def _anchored(pattern: str) -> str:
    r"""A pattern that is looked for at the start alone, as ``re.match`` does.

    ``$`` is the very end of the text, ``\z``: in Python and in Java it would also match before a last line break.
    """
    plain = _PLAIN.fullmatch(pattern)
    if plain is None:
        raise ValueError(
            f"expected a pattern that Python, Java and Rust read alike, found {pattern!r}: use plain characters, "
            r"[classes] ([0-9], not \d; [^\n], not a dot), groups, | and repetition, ^ only first and $ only last"
        )
    body = plain["body"] + (r"\z" if plain["end"] else "")
    return body if body.startswith("^") and "|" not in body else f"^(?:{body})"
