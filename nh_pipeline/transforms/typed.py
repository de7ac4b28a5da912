"""Lines of a file, all text, as typed rows; and why a line is refused. For every file, from its columns' declarations.

A line is looked at in two steps. Nearly all values are written plainly, and to see that takes a third of the time of
looking for every reason: so the reasons are looked for only where something is not plain.

``day_first`` names the deliveries in which a date like 03/04/2024 is the third of April.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from nh_pipeline.model.rules import CCN, AtLeast, Between
from nh_pipeline.model.types import BOOLEAN, DATE, INTEGER, TEXT
from nh_pipeline.periods import quarter_bounds
from nh_pipeline.transforms import values

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from nh_pipeline.model.columns import Column
    from nh_pipeline.model.dataset import Dataset

_PLAINLY = {TEXT: values.text, INTEGER: values.integer, BOOLEAN: values.boolean}
"""How text becomes a value of a type, where the type alone decides."""

_MOST_DIGITS = 15
"""A number of so many digits is the decimal nearest to its double."""


def parse_sql(column: Column, day_first: Collection[str] = ()) -> str:
    """SQL for the typed value of a text; NULL if it is blank or cannot be read."""
    if column.allowed == CCN:
        return values.ccn(column.name)
    if column.type in _PLAINLY:
        return _PLAINLY[column.type](column.name)
    if column.type == DATE:
        plain = values.date(column.name, day_first=False)
        if not day_first:
            return plain
        ids = ", ".join(f"'{i}'" for i in sorted(day_first))
        return f"case when delivery_id in ({ids}) then {values.date(column.name, day_first=True)} else {plain} end"
    if column.type.name == "decimal":
        precision, scale = column.type.arguments
        return values.decimal(column.name, precision, scale, _before(column))
    raise ValueError(f"{column.name}: no text of a file is read as {column.type.sql}: add a form to transforms.typed")


def _before(column: Column) -> str:
    """What may stand before its digits."""
    if column.unit == "US dollars":
        return values.DOLLAR
    return values.SIGN if isinstance(column.allowed, Between) and column.allowed.low < 0 else ""


def _wrong(column: Column, day_first: Collection[str]) -> str:
    """SQL that is true where a text is no value of the column."""
    value = parse_sql(column, day_first)
    missing = f"{value} is null"
    found = missing if not column.nullable else f"{missing} and {values.text(column.name)} is not null"
    if column.allowed in (None, CCN, AtLeast(0)):  # what is read as a number has no sign
        return found
    rule = column.allowed.sql(column.name, column.type) if column.allowed else ""
    return f"({found}) or not ({rule.replace(f'`{column.name}`', f'({value})', 1)})"


def _plain(column: Column, day_first: Collection[str]) -> str:
    """SQL that is true only of values, quickly of nearly all; empty if every text is one."""
    if column.type == TEXT and column.nullable and column.allowed is None:
        return ""
    fast = ""
    if column.allowed == CCN:
        fast = values.is_plain_ccn(column.name)
    elif column.allowed in (None, AtLeast(0)) and column.type == INTEGER:
        fast = values.is_plain_integer(column.name)
    elif column.allowed in (None, AtLeast(0)) and column.type.name == "decimal":
        fast = values.is_plain_decimal(column.name, *column.type.arguments)
    if not fast:
        return f"not coalesce({_wrong(column, day_first)}, false)"
    return f"(coalesce(`{column.name}`, '') = '' or {fast})" if column.nullable else fast


def classified(
    bronze: DataFrame,
    dataset: Dataset,
    columns: Sequence[Column],
    *,
    quarter: str = "",
    doubled: bool = False,
    day_first: Collection[str] = (),
) -> DataFrame:
    """Says of every line why it is refused, if it is, in the column ``reason``: NULL for accepted lines.

    Only texts are matched here, nothing is converted: engines push the filter on ``reason`` down to the scan, and
    would convert every accepted line twice.

    ``columns`` are those of the table, or tables, that the lines become; ``quarter`` is what the delivery covers
    (``2024Q2``), if it is one of a quarter. If some key is ``doubled``, the first readable line of each is kept, and
    the others are refused, which costs a sort.
    """
    plain, reasons = _judgement(dataset, columns, quarter, day_first)
    sql = f"case when {plain} then null else coalesce({', '.join(reasons)}, null) end"
    found = bronze.select("*", F.expr(sql).alias("reason"))
    return _without_doubled(found, dataset, day_first) if doubled else found


def unrefused(bronze: DataFrame) -> DataFrame:
    """The same of lines of which none is refused."""
    return bronze.select("*", F.lit(None).cast("string").alias("reason"))


def are_plain(
    bronze: DataFrame,
    dataset: Dataset,
    columns: Sequence[Column],
    *,
    quarter: str = "",
    day_first: Collection[str] = (),
) -> bool:
    """Whether all lines are written plainly, so that none is refused: to plan a query of all reasons takes longer."""
    plain, _ = _judgement(dataset, columns, quarter, day_first)
    # Counted, not filtered: engines would look for what of a filter the files' statistics answer.
    odd = bronze.agg(F.expr(f"count(case when {plain} then null else 1 end)").alias("odd")).first()
    return odd is None or odd["odd"] == 0


def _judgement(
    dataset: Dataset, columns: Sequence[Column], quarter: str, day_first: Collection[str]
) -> tuple[str, list[str]]:
    """SQL that is true of plain lines, and SQL of each reason to refuse a line; the first one counts."""
    covered = _of_quarter(dataset, quarter, day_first) if quarter else _of_release(dataset, day_first)
    dated = set() if dataset.changed_by else {dataset.dated_by}  # which has rules of its own, above
    first = [c for c in columns if c.name in dataset.key and c.name not in dated]
    others = [c for c in columns if c.name not in dataset.key and c.name not in dated]
    reasons = [_refusal(c, day_first) for c in first]
    plain = [_plain(c, day_first) for c in first]
    if covered:
        reasons.append(covered[0])
        plain.append(covered[1])
    reasons += [_refusal(c, day_first) for c in others]
    plain += [_plain(c, day_first) for c in others]
    return " and ".join(p for p in plain if p) or "true", [r for r in reasons if r] or ["cast(null as string)"]


def _refusal(column: Column, day_first: Collection[str]) -> str:
    if not _plain(column, day_first):
        return ""
    return f"case when {_wrong(column, day_first)} then {values.expected(column.name, column.expects)} end"


def _of_quarter(dataset: Dataset, quarter: str, day_first: Collection[str]) -> tuple[str, str]:
    """The reason of a line that is of another quarter, and SQL that is true of plain lines of this one."""
    day = parse_sql(dataset.by_name[str(dataset.day)], day_first)
    first, last = quarter_bounds(quarter)
    inside = f"{day} between date '{first}' and date '{last}'"
    said = f"`{dataset.dated_by}`"
    reason = (
        f"case when coalesce(upper(replace({said}, ' ', '')), '') <> '{quarter}' or not ({inside}) "
        f"then concat('{dataset.day}: expected a day of {quarter}, found ', coalesce(`{dataset.day}`, 'nothing'), "
        f"' in ', coalesce({said}, 'no quarter')) end"
    )
    return reason, f"{said} = '{quarter}' and {values.is_plain_day(str(dataset.day), first, last)}"


def _of_release(dataset: Dataset, day_first: Collection[str]) -> tuple[str, str] | None:
    """The same of a line that is of another release; None if no line says what it is of."""
    if dataset.released_by is None:
        return None
    same = f"{parse_sql(dataset.released_by, day_first)} <=> try_cast(coverage as date)"
    told = values.expected(dataset.released_by.name, "the date of the release")
    return f"case when not ({same}) then {told} end", same


def _without_doubled(found: DataFrame, dataset: Dataset, day_first: Collection[str]) -> DataFrame:
    key = [F.expr(parse_sql(dataset.by_name[name], day_first)) for name in dataset.key]
    order = Window.partitionBy(*key).orderBy(F.expr("reason is not null"), "source_line")
    numbered = found.select(
        "*", F.row_number().over(order).alias("_nth"), F.first("source_line").over(order).alias("_first")
    )
    twice = (
        f"case when reason is null and _nth > 1 then concat('{', '.join(dataset.key)}: expected one line each, found "
        "it in line ', cast(_first as string), ' too, which is kept') else reason end"
    )
    others = [c for c in found.columns if c != "reason"]
    return numbered.select(*others, F.expr(twice).alias("reason"))


def doubled_keys(
    bronze: DataFrame, dataset: Dataset, *, quarter: str = "", day_first: Collection[str] = ()
) -> DataFrame:
    """Keys that occur more than once in a delivery, and ``rows``. Unreadable lines have none.

    The days of a delivery of a ``quarter`` are told as in ``20240401``.
    """
    read = {name: parse_sql(dataset.by_name[name], day_first) for name in dataset.key}
    if quarter and dataset.day in read:
        plain = values.is_plain_day(dataset.day, *quarter_bounds(quarter))
        written = f"replace(cast({read[dataset.day]} as string), '-', '')"
        read[dataset.day] = f"case when {plain} then `{dataset.day}` else {written} end"
    key = [F.expr(sql).alias(name) for name, sql in read.items()]
    readable = " and ".join(f"{name} is not null" for name in dataset.key)
    counted = bronze.select(*key).where(readable).groupBy(*dataset.key).agg(F.count(F.lit(1)).alias("rows"))
    return counted.where("rows > 1")


def readable_sql(dataset: Dataset, *, day_first: Collection[str] = ()) -> str:
    """SQL that is true of lines whose key, or facility, can be read: they say that it is there, whatever else is."""
    names = dataset.key or ((dataset.facility,) if dataset.facility else ())
    return " and ".join(f"{parse_sql(dataset.by_name[n], day_first)} is not null" for n in names) or "true"


def typed(
    lines: DataFrame, dataset: Dataset, columns: Sequence[Column], *, day_first: Collection[str] = ()
) -> DataFrame:
    """Lines of :func:`classified` with their values read, as far as they can be.

    Beside the columns: ``release`` (date), ``fiscal_year``, ``delivery_id``, ``source_line`` and ``reason``; and
    ``extra_columns``, if the dataset gathers cells there.
    """
    return lines.select(
        *(F.expr(_value(c, dataset, day_first)).alias(c.name) for c in columns),
        F.expr("try_cast(coverage as date)").alias("release"),
        F.col("coverage").alias("fiscal_year"),
        "delivery_id",
        "source_line",
        "reason",
        *(["extra_columns"] if dataset.gathers else []),
    )


def _value(column: Column, dataset: Dataset, day_first: Collection[str]) -> str:
    return "coverage" if column is dataset.quarter_by else parse_sql(column, day_first)


def accepted(
    lines: DataFrame, dataset: Dataset, columns: Sequence[Column], *, day_first: Collection[str] = ()
) -> DataFrame:
    """Accepted lines of a file of days, half as wide as the rows that they become: numbers are in double precision.

    They are of :func:`classified`, and keep ``delivery_id``; :func:`exact` makes the numbers exact again.
    """
    sql = {
        c.name: values.checked_number(c.name, _before(c)) if _as_double(c) else _value(c, dataset, day_first)
        for c in columns
    }
    return lines.where("reason is null").select(
        *(F.expr(text).alias(name) for name, text in sql.items()), "delivery_id"
    )


def exact(rows: DataFrame, columns: Sequence[Column]) -> DataFrame:
    """Rows of :func:`accepted` with exact numbers; columns that are none of these pass as they are."""
    doubles = {c.name: c.type.sql for c in columns if _as_double(c)}
    return rows.select(
        *(F.expr(f"cast({name} as {doubles[name]})").alias(name) if name in doubles else name for name in rows.columns)
    )


def _as_double(column: Column) -> bool:
    return column.type.name == "decimal" and column.type.arguments[0] <= _MOST_DIGITS
