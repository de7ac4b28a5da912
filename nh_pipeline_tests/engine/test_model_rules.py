"""Rules: their SQL has pandera's verdict, the gate that of a table's pandera schema; what has no form is refused."""

from __future__ import annotations

import re
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import pandas as pd
import pandera.pandas as pp
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandera.errors import SchemaErrors
from pyspark.sql import functions as F
from pyspark.sql import types as T

from nh_pipeline.cli.dictionary import dictionary
from nh_pipeline.model.columns import Column
from nh_pipeline.model.mart import Mart
from nh_pipeline.model.rules import CCN, AtLeast, Between, Matches, OneOf, Rule
from nh_pipeline.model.table import Table
from nh_pipeline.model.types import BOOLEAN, DATE, DOUBLE, INTEGER, LONG, TEXT, exact
from nh_pipeline.pipeline.gate import gate
from nh_pipeline.tables import tables

D, MONEY = Decimal, exact(9, 2)

ODD = ["it's", 'say "it\'s"', "a\\b", "\\", "'", "''", "\\'", "\\n", "\n", "\t", "a\\%b", "%_", "é😀", "${HOME}", "$",
       "a`b", "\\u0041", "\x01", "; --", "", " ", "a", "A", "z"]  # fmt: skip
WORDS = ["015009", "12A456", "12a456", "x015009", "015009x", "b", "a", "xb", "ab", "abc", "aab", "a.b", "a-b", "a\\b",
         "it's", "[", "a&b", "a~b", "a^b", "a$", "a|b", "a b", "", "a\rb", "a]", "tab\t", "_"]  # fmt: skip
PATTERNS = [CCN.pattern, "[0-9]{5}", "^a|b", "a|b", "a|b$", "(?:a|b)b", "(a+)(b|c)?$", "it's", r"a\\b", r"a\.b",
            r"[a\-\\]+$", r"[^a]", r"a\$", r"a\$$", "a{1,2}b", "a{2,}b?", "", "^", "$", r"\[", r"[\[\]\^\&\~]", "(|a)b",
            r"a[\r\n\t ]b", r"tab\t$", "a+?b", r"a[!-/:-@\[-`{-\~]b",
            *("a" + re.escape(c) + "?b" for c in "!\"#%&',-/:;=@_`~")]  # fmt: skip

CASES = {
    "int": (INTEGER, [-3, 0, 1, 4, 5, 6, 2**31 - 1], [
        AtLeast(1), AtLeast(-3), Between(1, 5), OneOf((1, 5)), OneOf((4,)), Between(5, 2**63 - 1),
    ]),
    "bigint": (LONG, [-(2**63), 0, 2**53 + 1, 2**63 - 1], [
        AtLeast(-(2**63) + 1), OneOf((2**53 + 1,)), Between(0, 2**53),
    ]),
    "double": (DOUBLE, [-0.0, 0.0, 0.1, 0.1 + 0.2, 0.3, 1.0, 5e-324, 1.7976931348623157e308, -2.5, float("inf")], [
        AtLeast(0), Between(0, 0.3), OneOf((0.1 + 0.2,)), OneOf((0.1, 0)), AtLeast(5e-324), AtLeast(-0.0),
        Between(1e-7, 1.7976931348623157e308),
    ]),
    "decimal": (MONEY, [D("-0.01"), D("0.00"), D("0.10"), D("5.00"), D("1234567.89")], [
        AtLeast(0), AtLeast(D("0.1")), Between(D("-0.01"), D("0.099999999999999999")), OneOf((5, D("0.1"))),
        Between(5, 10**19), Between(D("0"), D("1E+3")),
    ]),
    "date": (DATE, [date(1, 1, 1), date(2022, 1, 1), date(2023, 12, 31), date(2024, 1, 1), date(9999, 12, 31)], [
        AtLeast(date(2024, 1, 1)), Between(date(2022, 1, 1), date(2023, 12, 31)),
        OneOf((date(1, 1, 1), date(9999, 12, 31))),
    ]),
    "boolean": (BOOLEAN, [True, False], [OneOf((False,)), OneOf((True, False)), AtLeast(True)]),
    "text": (TEXT, ODD, [
        OneOf(tuple(ODD)), *(OneOf((v,)) for v in ODD), AtLeast("a"), AtLeast("\\"), Between("A", "a"),
    ]),
    "patterns": (TEXT, WORDS, [Matches(p) for p in PATTERNS]),
}  # fmt: skip


def by_pandera(rule, values):
    """Which of the values pandera's own pandas backend takes."""
    column = pd.Series(values, dtype=object)
    if values and isinstance(values[0], float):
        column = column.astype("float64")
    return [bool(passed) for passed in pp.Check.__call__(rule.pandera(pp), column).check_output]


def by_sql(engine, rules, values, dtype):
    """Which of the values the rules of the gate take: those that do not make ``not (rule)`` true. NULL comes last."""
    schema = T.StructType([T.StructField("n", T.IntegerType()), T.StructField("x", dtype.of("spark"))])
    frame = engine.createDataFrame([*enumerate(values), (len(values), None)], schema)
    forms = [F.expr(f"case when not ({r.sql('x', dtype)}) then 1 else 0 end").alias(f"r{i}") for i, r in
             enumerate(rules)]  # fmt: skip
    rows = sorted(frame.select("n", *forms).collect())
    assert [row[0] for row in rows] == list(range(len(values) + 1))
    taken = [[not row[i] for row in rows] for i in range(1, len(rules) + 1)]
    assert all(verdicts[-1] for verdicts in taken), "a rule looked at NULL"
    return [verdicts[:-1] for verdicts in taken]


@pytest.mark.integration
@pytest.mark.parametrize("name", CASES)
def test_sql_has_the_verdict_of_pandera(engine, name):
    dtype, values, rules = CASES[name]
    for rule, found in zip(rules, by_sql(engine, rules, values, dtype), strict=True):
        assert dict(zip(values, found, strict=True)) == dict(zip(values, by_pandera(rule, values), strict=True)), rule


@pytest.mark.integration
def test_the_end_of_a_pattern_is_the_end_of_the_text(engine):
    """Stricter than Python's ``$``, which matches before a last line break, too."""
    assert by_sql(engine, [Matches("a$")], ["a", "a\n", "ab"], TEXT) == [[True, False, False]]
    assert by_pandera(Matches("a$"), ["a", "a\n", "ab"]) == [True, True, False]


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8) | st.text(
    "'\"\\$${}`%_nu0\n a", max_size=6
)


@pytest.mark.integration
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(TEXTS, min_size=1, max_size=12, unique=True), st.data())
def test_any_text(engine, values, data):
    some = data.draw(st.lists(st.sampled_from(values), min_size=1, unique=True))
    rules = [OneOf(tuple(some)), AtLeast(some[0]), Between(min(some), max(some))]
    rules.append(Matches("|".join(re.escape(v) for v in some if re.fullmatch("[!-;=?-~]*", v))))
    assert by_sql(engine, rules, values, TEXT) == [by_pandera(r, values) for r in rules]


NUMBERS = st.decimals(-9_999_999, 9_999_999, places=2)


@pytest.mark.integration
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(NUMBERS, min_size=1, max_size=12), st.tuples(NUMBERS, NUMBERS))
def test_any_decimal(engine, values, bounds):
    rules = [AtLeast(bounds[0]), OneOf((bounds[0], values[0])), Between(*sorted(bounds))]
    assert by_sql(engine, rules, values, MONEY) == [by_pandera(r, values) for r in rules]


# The gate and pandera


def column(name: str = "x", dtype=INTEGER, **more: Any) -> Column:
    return Column(name=name, type=dtype, description="d", **more)


EVERY = Table(
    name="silver.every",
    description="A column of every type, with every form of rule.",
    columns=(
        column("id", TEXT, nullable=False, allowed=CCN),
        column("n", INTEGER, allowed=Between(1, 5)),
        column("big", LONG, nullable=False),
        column("share", DOUBLE, allowed=AtLeast(0)),
        column("paid", MONEY, allowed=AtLeast(0)),
        column("day", DATE, allowed=AtLeast(date(2017, 1, 1))),
        column("ok", BOOLEAN, nullable=False),
        column("word", TEXT, allowed=OneOf(("a", "b"))),
    ),
    grain=("id", "big"),
)
ROWS = st.tuples(
    st.sampled_from(["015009", "12A456", "15009", "12a456", None]),
    st.sampled_from([None, 0, 1, 5, 6]),
    st.sampled_from([None, 1, 2, 2**40]),
    st.sampled_from([None, -0.5, 0.0, 0.25]),
    st.sampled_from([None, D("-0.01"), D("0.00"), D("12.50")]),
    st.sampled_from([None, date(2016, 12, 31), date(2017, 1, 1)]),
    st.sampled_from([None, True, False]),
    st.sampled_from([None, "a", "b", "c"]),
)


# Pandera puts cases together that are all missing.
@pytest.mark.filterwarnings("ignore:The behavior of DataFrame concatenation:FutureWarning")
@pytest.mark.integration
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(ROWS, min_size=1, max_size=8))
def test_the_gate_has_the_verdict_of_the_tables_pandera_schema(engine, rows):
    checked = {r.name: r for r in gate(EVERY, engine.createDataFrame(rows, EVERY.spark), rows=len(rows))}
    arrow = pa.Table.from_pylist([dict(zip(EVERY.names, row, strict=True)) for row in rows], schema=EVERY.arrow)
    values, grain = 0, True
    try:
        EVERY.pandera().validate(arrow.to_pandas(types_mapper=pd.ArrowDtype), lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
        of_grain = cases["check"].astype(str).str.contains("unique")
        values, grain = int((~of_grain).sum()), not of_grain.any()
    assert checked["values"].failed_rows == values
    keys = [(row[0], row[2]) for row in rows]
    doubled = {key for key in keys if keys.count(key) > 1}
    assert checked["grain"].passed is (not doubled)
    if doubled != {(None, None)}:  # pandera names what it found, and a key without a value has no name
        assert grain is (not doubled)


def test_every_table_has_a_pandera_schema_that_takes_its_own_columns():
    for table in tables():
        empty = table.arrow.empty_table().to_pandas(types_mapper=pd.ArrowDtype)
        table.pandera().validate(empty)
        with pytest.raises(Exception, match="column"):
            table.pandera().validate(empty.drop(columns=table.names[0]))


# What is refused


@pytest.mark.parametrize(
    ("rule", "dtype", "says"),
    [
        (AtLeast(0.5), INTEGER, r"expected a value that compares exactly with int, found 0\.5 \(float\)"),
        (AtLeast(True), INTEGER, "found True"),
        (AtLeast(2**63), INTEGER, "compares exactly with int"),
        (AtLeast(0.1), MONEY, r"compares exactly with decimal\(9,2\), found 0\.1"),
        (AtLeast(D("NaN")), MONEY, "NaN"),
        (AtLeast(D("1e-19")), MONEY, "compares exactly"),
        (AtLeast(10**20), MONEY, "compares exactly"),
        (AtLeast(0), exact(38, 20), "compares exactly"),
        (AtLeast(D(1)), DOUBLE, "compares exactly with double"),
        (AtLeast(2**53 + 1), DOUBLE, "compares exactly with double"),
        (Between(0, float("inf")), DOUBLE, "compares exactly with double"),
        (OneOf((float("nan"),)), DOUBLE, "compares exactly with double"),
        (AtLeast("2024-01-01"), DATE, "compares exactly with date"),
        (AtLeast(datetime(2024, 1, 1, tzinfo=timezone.utc)), DATE, "compares exactly with date"),
        (AtLeast(pd.Timestamp(2024, 1, 1)), DATE, "compares exactly with date"),
        (OneOf((1,)), TEXT, "compares exactly with string"),
        (OneOf(("a", None)), TEXT, r"found None \(NoneType\)"),
        (OneOf(("a\0b",)), TEXT, "expected text without NUL"),
        (OneOf(()), TEXT, "expected at least one value, found none"),
        (Matches("a"), INTEGER, "expected a column of text, found int"),
        *((Matches(p), TEXT, "a pattern that Python, Java and Rust read alike") for p in (
            r"\d", ".", "(?i)a", "(?=a)", "(?P<n>a)", r"(a)\1", "a$b", "(a$|b)", "a^", r"\ba", "[a&b]", "[a~b]", "[a-]",
            "[a^b]", "a{,2}", "a{", r"\Aa", r"a\Z", r"\<a", "[]a]", r"\x41", "}",
        )),
    ],
)  # fmt: skip
def test_a_rule_without_an_exact_form_is_refused_when_it_is_declared(rule, dtype, says):
    with pytest.raises(ValueError, match=says) as refused:
        column(dtype=dtype, allowed=rule)
    assert str(refused.value).startswith("x: the rule ")


def test_two_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two columns are called x"):
        Table(name="silver.t", description="t", columns=(column(), column()), grain=("x",))
    for name in ("x_not_null", "values"):
        rules = (Rule(name, "x > 0", "never"),)
        with pytest.raises(ValueError, match=f"two rules are called {name}"):
            Table(name="silver.t", description="t", columns=(column(nullable=False),), grain=("x",), rules=rules)


def test_a_grain_of_no_column_is_refused():
    with pytest.raises(ValueError, match="grain, sort or partitioning name y, which it lacks"):
        Table(name="silver.t", description="t", columns=(column(),), grain=("y",))


def test_a_mart_of_days_that_nothing_has_is_refused():
    whole = Table(name="silver.t", description="t", columns=(column("day", DATE),), grain=("day",))
    facts = {"description": "d", "columns": whole.columns, "grain": ("day",), "transform": id, "conserves": ()}
    with pytest.raises(ValueError, match="m is built by day: say by which column"):
        Mart("m", reads=(whole,), by_day=True, **facts)
    with pytest.raises(ValueError, match=r"m is cut by months, but silver\.t, which it reads first, is not"):
        Mart("m", reads=(whole,), month="day", **facts)


def test_all_tables_load_and_their_sql_is_known():
    forms = {rule.sql.split("`")[2] for table in tables() for rule in table.value_rules}
    assert {" is not null", " >= 0", " between 1 and 5", " rlike '^[0-9]{2}[0-9A-Z][0-9]{3}\\\\z'"} <= forms


@pytest.mark.parametrize(
    ("rule", "dtype", "words"),
    [
        (AtLeast(0), INTEGER, "at least 0"),
        (Between(1, 5), INTEGER, "1 to 5"),
        (OneOf(("b", "a")), TEXT, "`b`, `a`"),
        (Matches("[0-9]"), TEXT, "`[0-9]`"),
        (CCN, TEXT, "CCN"),
    ],
)
def test_the_dictionary_has_words_for_every_rule(rule, dtype, words):
    table = Table(name="silver.t", description="t", columns=(column(dtype=dtype, allowed=rule),), grain=("x",))
    (line,) = [t for t in dictionary([table], []).splitlines() if t.startswith("| `x` |")]
    assert line.split(" | ")[4] == words
