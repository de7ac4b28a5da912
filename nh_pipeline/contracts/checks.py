"""Value rules: the checks of pandera that contracts may use, and what each of them is in Spark SQL.

Pandera declares, the gate runs SQL. So a check, or an option of a check, a column or a schema, that has no exact form
in SQL would be ignored or misread. It is refused instead, when the module that declares it loads. Exact means: the same
verdict as pandera's own on every value but NULL, which no check looks at, and NaN, which is more than any number as
Spark has it; on Sail and on the JVM.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandera.pyspark as pa
from pandera.api.function_dispatch import Dispatcher
from pyspark.sql import types as T

if TYPE_CHECKING:
    from collections.abc import Iterable

_COMPARED = {
    "equal_to": ("=", "value"),
    "not_equal_to": ("<>", "value"),
    "greater_than": (">", "min_value"),
    "greater_than_or_equal_to": (">=", "min_value"),
    "less_than": ("<", "max_value"),
    "less_than_or_equal_to": ("<=", "max_value"),
}
_LISTED = {"isin": ("in", "allowed_values"), "notin": ("not in", "forbidden_values")}
_KINDS = (*_COMPARED, *_LISTED, "in_range", "str_matches")

_NOT_READ: dict[str, Any] = {
    "element_wise": False,
    "groupby": None,
    "groups": None,
    "ignore_na": True,
    "n_failure_cases": None,
    "raise_warning": False,
}
"""Options of a check that the gate does not look at, as they have to be."""

_COLUMN_READ = {"_dtype", "checks", "nullable", "name", "title", "description", "metadata"}
_SCHEMA_READ = {"columns", "_unique", "name", "title", "description", "metadata"}

_MOST_DIGITS, _MOST_DECIMALS = 20, 18  # together 38: a comparison of two such decimals loses none
_EXACT_AS_DOUBLE = 2**53

# What a pattern may consist of, so that Python, Java and Rust read it alike: plain characters, classes of them, groups,
# alternatives and repetition. Not "\d" and "." (other characters in each), look-around, references, class arithmetic.
_ESCAPED = r"\\[nrt!-/:;=?-@\[-`{-~]"
_MEMBER = rf"(?:[^\\\[\]&~^-]|{_ESCAPED})"
_ATOM = rf"(?:[^\\\[\](){{}}.^$|?*+]|{_ESCAPED}|\[\^?(?:{_MEMBER}(?:-{_MEMBER})?)+\])"
_TIMES = r"(?:(?:[?*+]|\{[0-9]+(?:,[0-9]*)?\})\??)?"
_PLAIN = re.compile(rf"(?P<body>\^?(?:{_ATOM}{_TIMES}|\((?:\?:)?|\){_TIMES}|\|)*)(?P<end>\$)?")


def kind_of(check: pa.Check) -> str | None:
    """Pandera's own name of a check that has a SQL form, whatever name it was given; None for any other check."""
    function = vars(check)["_check_fn"]  # anybody may give a check any name
    return function.__name__ if isinstance(function, Dispatcher) and function.__name__ in _KINDS else None


def values_of(check: pa.Check) -> list[Any]:
    """The values that a check lists, in the order in which they were given.

    Raises:
        ValueError: they were given by something that can be read only once.
    """
    _, key = _LISTED[str(kind_of(check))]
    given, listed = (check.statistics or {})[key], vars(check)["_check_kwargs"][key]
    values = list(given) if isinstance(given, (list, tuple)) else sorted(given, key=str)
    if frozenset(values) != listed:
        raise ValueError(f"expected a list of values, found {type(given).__name__}: write the values as a list")
    return values


def sql_of(column: str, check: pa.Check, dtype: T.DataType) -> str:
    """A check as SQL that is true for valid values, and true or NULL for NULL.

    Args:
        column: name of the column.
        check: one of its checks.
        dtype: its type, which the values of the check must have: nothing is converted.

    Raises:
        ValueError: the check, an option of it, or one of its values has no exact SQL form.
    """
    kind = kind_of(check)
    if kind is None:
        raise ValueError(
            f"{column}: the check {check.name} has no SQL form; expected one of {', '.join(sorted(_KINDS))}. Write a "
            "Rule of the contract in SQL, or add a form to contracts.checks"
        )
    odd = [f"{o}={getattr(check, o)!r}" for o, plain in _NOT_READ.items() if getattr(check, o) != plain]
    if odd:
        raise ValueError(f"{column}: the check {check.name} has {', '.join(odd)}, which the gate ignores: leave it out")
    try:
        return _sql(f"`{column}`", kind, check, dtype)
    except ValueError as error:
        raise ValueError(f"{column}: the check {check.name} has no exact SQL form: {error}") from None


def require_forms(schema: pa.DataFrameSchema) -> None:
    """Refuses a schema that says more than the gate looks at.

    Raises:
        ValueError: an option of the schema or of a column, or a check, that would be ignored or misread.
    """
    _plain(f"{schema.name}", schema, pa.DataFrameSchema(), _SCHEMA_READ)
    for name, column in schema.columns.items():
        where = f"{schema.name}.{name}"
        if not isinstance(column.dtype and column.dtype.type, T.DataType):
            raise ValueError(  # noqa: TRY004 (a wrong contract, like all others)
                f"{where}: expected a type of Spark, found {column.dtype}: give it one"
            )
        _plain(where, column, pa.Column(column.dtype.type), _COLUMN_READ)
        for check in column.checks:
            sql_of(where, check, column.dtype.type)


def _plain(where: str, made: Any, bare: Any, read: set[str]) -> None:
    odd = {o: v for o, v in vars(made).items() if o not in read and v != vars(bare).get(o)}
    if odd:
        told = ", ".join(f"{option.lstrip('_')}={value!r}" for option, value in odd.items())
        raise ValueError(
            f"{where}: {told} is not looked at by the gate: leave it out, and write a rule over rows as a Rule of the "
            "contract in SQL"
        )


def _sql(column: str, kind: str, check: pa.Check, dtype: T.DataType) -> str:
    given: dict[str, Any] = vars(check)["_check_kwargs"]
    if kind in _COMPARED:
        operator, key = _COMPARED[kind]
        return f"{column} {operator} {_literal(given[key], dtype)}"
    if kind in _LISTED:
        return f"{column} {_LISTED[kind][0]} ({_literals(values_of(check), dtype)})"
    if kind == "in_range":
        low, high = _literal(given["min_value"], dtype), _literal(given["max_value"], dtype)
        if given["include_min"] and given["include_max"]:
            return f"{column} between {low} and {high}"
        above, below = (">=" if given["include_min"] else ">"), ("<=" if given["include_max"] else "<")
        return f"{column} {above} {low} and {column} {below} {high}"
    if not isinstance(dtype, T.StringType):
        raise ValueError(f"expected a column of text, found {dtype.simpleString()}")  # noqa: TRY004 (of the contract)
    return f"{column} rlike {_quoted(_anchored(given['pattern']))}"


def _literals(values: Iterable[Any], dtype: T.DataType) -> str:
    found = [_literal(value, dtype) for value in values]
    if not found:
        raise ValueError("expected at least one value, found none: a list without values forbids, or allows, all")
    return ", ".join(found)


def _literal(value: Any, dtype: T.DataType) -> str:
    """A value in SQL, of the column's type or of one that compares with it without loss."""
    found = None
    if isinstance(dtype, T.StringType) and isinstance(value, str):
        found = _quoted(value)
    elif isinstance(dtype, T.BooleanType) and isinstance(value, bool):
        found = str(value).lower()
    elif isinstance(dtype, T.DateType) and isinstance(value, date) and not isinstance(value, datetime):
        found = f"date '{value.isoformat()}'"
    elif isinstance(dtype, (T.IntegralType, T.DecimalType, T.DoubleType)) and not isinstance(value, bool):
        found = _number(value, dtype)
    if found is None:
        raise ValueError(
            f"expected a value that compares exactly with {dtype.simpleString()}, found {value!r} "
            f"({type(value).__name__}): write it in the column's own type"
        )
    return found


def _number(value: Any, dtype: T.DataType) -> str | None:
    if isinstance(dtype, T.IntegralType):
        return str(int(value)) if isinstance(value, int) and abs(value) < 2**63 else None
    if isinstance(dtype, T.DoubleType):
        if isinstance(value, int):
            return str(int(value)) if abs(value) <= _EXACT_AS_DOUBLE else None
        finite = isinstance(value, float) and abs(value) < float("inf")
        return f"{float(value)!r}D" if finite else None
    if not isinstance(value, (int, Decimal)) or not isinstance(dtype, T.DecimalType):
        return None
    exact = Decimal(value)
    if not exact.is_finite():
        return None
    whole, _, decimals = format(abs(exact), "f").partition(".")
    digits = max(len(whole), dtype.precision - dtype.scale)
    fits = digits <= _MOST_DIGITS and max(len(decimals), dtype.scale) <= _MOST_DECIMALS
    return format(exact, "f") if fits else None


def _quoted(text: str) -> str:
    """Text in SQL. Spark puts variables in the place of ``${…}``, in literals too."""
    if "\0" in text:
        raise ValueError(f"expected text without NUL, found {text!r}: leave that out")
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\u0024{")
    return f"'{escaped}'"


def _anchored(pattern: Any) -> str:
    r"""A pattern that is looked for at the start alone, as ``re.match`` does.

    ``$`` is the very end of the text, ``\z``: in Python and in Java it would also match before a last line break.
    """
    if not isinstance(pattern, str):
        found = type(pattern).__name__
        raise ValueError(  # noqa: TRY004 (of the contract)
            f"expected a pattern as text, found {found}: write it as text, without flags"
        )
    plain = _PLAIN.fullmatch(pattern)
    if plain is None:
        raise ValueError(
            f"expected a pattern that Python, Java and Rust read alike, found {pattern!r}: use plain characters, "
            r"[classes] ([0-9], not \d; [^\n], not a dot), groups, | and repetition, ^ only first and $ only last"
        )
    body = plain["body"] + (r"\z" if plain["end"] else "")
    return body if body.startswith("^") and "|" not in body else f"^(?:{body})"
