"""Checks of contracts: a SQL form has pandera's verdict, and what has none is refused when it is declared."""

from __future__ import annotations

import operator
import re
from datetime import date, datetime, timezone
from decimal import Decimal

import pandas as pd
import pandera.pandas as pp
import pandera.pyspark as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import functions as F
from pyspark.sql import types as T

from nh_pipeline.cli.dictionary import dictionary
from nh_pipeline.contracts import ALL, base
from nh_pipeline.contracts.checks import kind_of, require_forms, sql_of
from nh_pipeline.pipeline.gate import gate
from nh_pipeline_tests.publishers import DAILY

INT, LONG, DOUBLE = T.IntegerType(), T.LongType(), T.DoubleType()
MONEY, DATE, TEXT, FLAG = T.DecimalType(9, 2), T.DateType(), T.StringType(), T.BooleanType()
D, C = Decimal, pa.Check

ODD = ["it's", 'say "it\'s"', "a\\b", "\\", "'", "''", "\\'", "\\n", "\n", "\t", "a\\%b", "%_", "é😀", "${HOME}", "$",
       "a`b", "\\u0041", "\x01", "; --", "", " ", "a", "A", "z"]  # fmt: skip
WORDS = ["015009", "12A456", "12a456", "x015009", "015009x", "b", "a", "xb", "ab", "abc", "aab", "a.b", "a-b", "a\\b",
         "it's", "[", "a&b", "a~b", "a^b", "a$", "a|b", "a b", "", "a\rb", "a]", "tab\t", "_"]  # fmt: skip
PATTERNS = [base.CCN_PATTERN, "[0-9]{5}", "^a|b", "a|b", "a|b$", "(?:a|b)b", "(a+)(b|c)?$", "it's", r"a\\b", r"a\.b",
            r"[a\-\\]+$", r"[^a]", r"a\$", r"a\$$", "a{1,2}b", "a{2,}b?", "", "^", "$", r"\[", r"[\[\]\^\&\~]", "(|a)b",
            r"a[\r\n\t ]b", r"tab\t$", "a+?b", r"a[!-/:-@\[-`{-\~]b",
            *("a" + re.escape(c) + "?b" for c in "!\"#%&',-/:;=@_`~")]  # fmt: skip

CASES = {
    "int": (INT, [-3, 0, 1, 4, 5, 6, 2**31 - 1], [
        C.ge(1), C.gt(1), C.le(5), C.lt(5), C.eq(5), C.ne(5), C.in_range(1, 5), C.in_range(1, 5, include_min=False),
        C.in_range(1, 5, include_max=False), C.in_range(1, 5, include_min=False, include_max=False), C.isin([1, 5]),
        C.notin([1, 5]), C.ge(-3), C.lt(2**63 - 1), C.isin({4, 5}),
    ]),
    "bigint": (LONG, [-(2**63), 0, 2**53 + 1, 2**63 - 1], [C.gt(-(2**63) + 1), C.eq(2**53 + 1), C.le(2**53)]),
    "double": (DOUBLE, [-0.0, 0.0, 0.1, 0.1 + 0.2, 0.3, 1.0, 5e-324, 1.7976931348623157e308, -2.5, float("inf")], [
        C.ge(0), C.gt(0), C.le(0.3), C.eq(0.1 + 0.2), C.ne(0.3), C.isin([0.1, 0]), C.lt(1), C.gt(5e-324), C.ge(-0.0),
        C.in_range(0, 1, include_max=False), C.lt(1.7976931348623157e308), C.notin([0.3]), C.gt(1e-7),
    ]),
    "decimal": (MONEY, [D("-0.01"), D("0.00"), D("0.10"), D("5.00"), D("1234567.89")], [
        C.ge(0), C.gt(0), C.ge(D("0.1")), C.le(D("0.099999999999999999")), C.eq(5), C.ne(D("5.0")),
        C.isin([5, D("0.1")]), C.in_range(D("-0.01"), D("5"), include_min=False), C.lt(D("1E+3")), C.notin([D("0.10")]),
        C.lt(10**19),
    ]),
    "date": (DATE, [date(1, 1, 1), date(2022, 1, 1), date(2023, 12, 31), date(2024, 1, 1), date(9999, 12, 31)], [
        C.ge(date(2024, 1, 1)), C.gt(date(2024, 1, 1)), C.lt(date(2024, 1, 1)), C.le(date(2023, 12, 31)),
        C.eq(date(1, 1, 1)), C.ne(date(2022, 1, 1)), C.isin([date(2022, 1, 1), date(9999, 12, 31)]),
        C.notin([date(2022, 1, 1)]), C.in_range(date(2022, 1, 1), date(2024, 1, 1), include_max=False),
    ]),
    "boolean": (FLAG, [True, False], [
        C.eq(True), C.ne(True), C.isin([False]), C.notin([False]), C.isin([True, False]), C.ge(True), C.lt(True),
    ]),
    "text": (TEXT, ODD, [
        C.isin(ODD), *(C.isin([v]) for v in ODD), C.notin(ODD[:9]), C.ge("a"), C.lt("é"), C.gt("\\"), C.le("Z"),
        C.in_range("A", "a", include_max=False), *(C.eq(v) for v in ODD[:9]), *(C.ne(v) for v in ODD[:9]), C.isin("az"),
    ]),
    "patterns": (TEXT, WORDS, [C.str_matches(p) for p in PATTERNS]),
}  # fmt: skip


def by_pandera(check, values):
    """Which of the values pandera's own pandas backend takes."""
    column = pd.Series(values, dtype=object)
    if values and isinstance(values[0], float):
        column = column.astype("float64")
    return [bool(passed) for passed in pp.Check.__call__(check, column).check_output]


def by_sql(engine, checks, values, dtype):
    """Which of the values the rules of the gate take: those that do not make ``not (rule)`` true. NULL comes last."""
    schema = T.StructType([T.StructField("n", INT), T.StructField("x", dtype)])
    frame = engine.createDataFrame([*enumerate(values), (len(values), None)], schema)
    forms = [F.expr(f"case when not ({sql_of('x', c, dtype)}) then 1 else 0 end").alias(f"r{i}") for i, c in
             enumerate(checks)]  # fmt: skip
    rows = sorted(frame.select("n", *forms).collect())
    assert [row[0] for row in rows] == list(range(len(values) + 1))
    taken = [[not row[i] for row in rows] for i in range(1, len(checks) + 1)]
    assert all(verdicts[-1] for verdicts in taken), "a check looked at NULL"
    return [verdicts[:-1] for verdicts in taken]


@pytest.mark.integration
@pytest.mark.parametrize("name", CASES)
def test_sql_has_the_verdict_of_pandera(engine, name):
    dtype, values, checks = CASES[name]
    for check, found in zip(checks, by_sql(engine, checks, values, dtype), strict=True):
        assert dict(zip(values, found, strict=True)) == dict(zip(values, by_pandera(check, values), strict=True)), check


@pytest.mark.integration
def test_the_end_of_a_pattern_is_the_end_of_the_text(engine):
    """Stricter than Python's ``$``, which matches before a last line break, too."""
    assert by_sql(engine, [C.str_matches("a$")], ["a", "a\n", "ab"], TEXT) == [[True, False, False]]
    assert by_pandera(C.str_matches("a$"), ["a", "a\n", "ab"]) == [True, True, False]


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8) | st.text(
    "'\"\\$${}`%_nu0\n a", max_size=6
)


@pytest.mark.integration
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(TEXTS, min_size=1, max_size=12, unique=True), st.data())
def test_any_text(engine, values, data):
    some = data.draw(st.lists(st.sampled_from(values), min_size=1, unique=True))
    checks = [C.isin(some), C.notin(some), C.ge(some[0]), C.lt(some[0]), C.eq(some[0]), C.ne(some[0])]
    checks.append(C.str_matches("|".join(re.escape(v) for v in some if re.fullmatch("[!-;=?-~]*", v))))
    assert by_sql(engine, checks, values, TEXT) == [by_pandera(c, values) for c in checks]


NUMBERS = st.decimals(-9_999_999, 9_999_999, places=2)


@pytest.mark.integration
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(NUMBERS, min_size=1, max_size=12), st.tuples(NUMBERS, NUMBERS), st.booleans(), st.booleans())
def test_any_decimal(engine, values, bounds, include_min, include_max):
    one, (low, high) = bounds[0], sorted(bounds)
    checks = [C.ge(one), C.gt(one), C.le(one), C.lt(one), C.eq(one), C.ne(one), C.isin([one, values[0]])]
    if low < high:
        checks.append(C.in_range(low, high, include_min=include_min, include_max=include_max))
    assert by_sql(engine, checks, values, MONEY) == [by_pandera(c, values) for c in checks]


# What is refused


def contract(check=None, *, schema=None, rules=(), **column):
    made = pa.Column(column.pop("dtype", INT), [check] if check is not None else None, **column)
    return base.Contract(
        schema=pa.DataFrameSchema({"x": made}, name="silver.t", description="t", unique=["x"], **(schema or {})),
        layout="whole", sort=("x",), rules=rules,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("check", "dtype", "says"),
    [
        (C.str_length(5), TEXT, "the check str_length has no SQL form; expected one of equal_to"),
        (C.str_contains("a"), TEXT, "str_contains has no SQL form"),
        (C.unique_values_eq([1]), INT, "unique_values_eq has no SQL form"),
        (C(lambda x: x > 0), INT, "the check <lambda> has no SQL form"),
        (C(lambda x, **_: x > 0, name="greater_than_or_equal_to", min_value=0), INT, "has no SQL form"),
        (C(operator.truth, element_wise=True), INT, "truth has no SQL form"),
        (C.ge(0, element_wise=True), INT, "element_wise=True, which the gate ignores: leave it out"),
        (C.ge(0, raise_warning=True), INT, "raise_warning=True"),
        (C.ge(0, ignore_na=False), INT, "ignore_na=False"),
        (C.ge(0, groupby="x"), INT, r"groupby=\['x'\]"),
        (C.ge(0, n_failure_cases=3), INT, "n_failure_cases=3"),
        (C.ge(0.5), INT, r"expected a value that compares exactly with int, found 0\.5 \(float\)"),
        (C.ge(True), INT, "found True"),
        (C.lt(2**63), INT, "compares exactly with int"),
        (C.ge(0.1), MONEY, r"compares exactly with decimal\(9,2\), found 0\.1"),
        (C.ge(D("NaN")), MONEY, "NaN"),
        (C.ge(D("1e-19")), MONEY, "compares exactly"),
        (C.lt(10**20), MONEY, "compares exactly"),
        (C.le(0), T.DecimalType(38, 20), "compares exactly"),
        (C.ge(D(1)), DOUBLE, "compares exactly with double"),
        (C.ge(2**53 + 1), DOUBLE, "compares exactly with double"),
        (C.le(float("inf")), DOUBLE, "compares exactly with double"),
        (C.ne(float("nan")), DOUBLE, "compares exactly with double"),
        (C.ge(0.0), T.FloatType(), "compares exactly with float"),
        (C.ge("2024-01-01"), DATE, "compares exactly with date"),
        (C.ge(datetime(2024, 1, 1, tzinfo=timezone.utc)), DATE, "compares exactly with date"),
        (C.ge(pd.Timestamp(2024, 1, 1)), DATE, "compares exactly with date"),
        (C.ge(date(2024, 1, 1)), T.TimestampType(), "compares exactly with timestamp"),
        (C.isin([1]), TEXT, "compares exactly with string"),
        (C.isin(["a", None]), TEXT, r"found None \(NoneType\)"),
        (C.notin(["a", float("nan")]), TEXT, "found nan"),
        (C.eq(None), TEXT, "found None"),
        (C.eq("a\0b"), TEXT, "expected text without NUL"),
        (C.isin([]), TEXT, "expected at least one value, found none"),
        (C.notin([]), TEXT, "expected at least one value"),
        (C.str_matches("a"), INT, "expected a column of text, found int"),
        (C.str_matches(re.compile("a", re.IGNORECASE)), TEXT, "expected a pattern as text, found Pattern"),
        *((C.str_matches(p), TEXT, "a pattern that Python, Java and Rust read alike") for p in (
            r"\d", ".", "(?i)a", "(?=a)", "(?P<n>a)", r"(a)\1", "a$b", "(a$|b)", "a^", r"\ba", "[a&b]", "[a~b]", "[a-]",
            "[a^b]", "a{,2}", "a{", r"\Aa", r"a\Z", r"\<a", "[]a]", r"\x41", "}",
        )),
    ],
)  # fmt: skip
def test_a_check_without_an_exact_form_is_refused_when_it_is_declared(check, dtype, says):
    with pytest.raises(ValueError, match=says) as refused:
        contract(check, dtype=dtype)
    assert str(refused.value).startswith("silver.t.x: the check ")


def test_values_that_can_be_read_once_are_refused():
    with pytest.raises(ValueError, match=r"x: the check isin .* found generator: write the values as a list"):
        sql_of("x", C.isin(v for v in "ab"), TEXT)


def test_a_check_of_groups_is_refused():
    check = C(lambda groups: groups["a"].mean() > 1, groupby="x", groups=["a"])
    with pytest.raises(ValueError, match="has no SQL form"):
        contract(check)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"coerce": True}, r"silver\.t\.x: coerce=True is not looked at by the gate: leave it out"),
        ({"regex": True, "name": "x.*"}, "regex=True"),
        ({"required": False}, "required=False"),
        ({"schema": {"checks": [C(lambda df: df["x"] > 0)]}}, r"silver\.t: checks=.* is not looked at by the gate"),
        ({"schema": {"strict": True}}, "strict=True"),
        ({"schema": {"strict": "filter"}}, "strict='filter'"),
        ({"schema": {"ordered": True}}, "ordered=True"),
        ({"schema": {"coerce": True}}, "coerce=True"),
        ({"schema": {"unique_column_names": True}}, "unique_column_names=True"),
        ({"schema": {"dtype": "int"}}, "dtype="),
        ({"dtype": None}, "expected a type of Spark, found None"),
    ],
)
def test_an_option_that_the_gate_ignores_is_refused(options, says):
    with pytest.raises(ValueError, match=says):
        contract(**options)


def test_columns_of_pandas_are_refused():
    for column in (pp.Column(int, unique=True), pp.Column(int, default=1), pp.Column(int)):
        schema = pa.DataFrameSchema(name="silver.t", unique=["x"])
        schema.columns = {"x": column}
        with pytest.raises(ValueError, match=r"silver\.t\.x: "):
            require_forms(schema)


def test_a_unique_or_default_column_is_refused():
    for option, value in (("unique", True), ("default", 1), ("parsers", [1]), ("drop_invalid_rows", True)):
        column = pa.Column(INT)
        setattr(column, option, value)
        with pytest.raises(ValueError, match=f"{option}="):
            require_forms(pa.DataFrameSchema({"x": column}, name="silver.t"))


def test_two_rules_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two rules are called x_not_equal_to, and the gate would tell of one"):
        base.Contract(
            schema=pa.DataFrameSchema({"x": pa.Column(INT, [C.ne(1), C.ne(2)])}, name="silver.t", unique=["x"]),
            layout="whole", sort=("x",),
        )  # fmt: skip
    for name in ("x_not_null", "values"):
        with pytest.raises(ValueError, match=f"two rules are called {name}"):
            contract(rules=(base.Rule(name, "x > 0", "never"),))


@pytest.mark.integration
def test_a_check_may_have_a_name_of_its_own(engine):
    named = base.Contract(
        schema=pa.DataFrameSchema(
            {"x": pa.Column(INT, [C.ne(1, name="not_one"), C.ne(2)])}, name="silver.t", unique=["x"]
        ),
        layout="whole", sort=("x",),
    )  # fmt: skip
    assert kind_of(named.schema.columns["x"].checks[0]) == "not_equal_to"
    frame = engine.createDataFrame([(1,), (2,), (3,)], named.spark)
    values = {r.name: r for r in gate(named, frame, rows=3)}["values"]
    assert (values.failed_rows, [s["rule"] for s in values.sample]) == (2, ["x_not_one", "x_not_equal_to"])


def test_all_contracts_load_and_their_sql_is_known():
    forms = {rule.sql.split("`")[2] for contract in (*ALL, DAILY) for rule in contract.value_rules}
    assert {" is not null", " >= 0", " between 1 and 5", " rlike '^[0-9]{2}[0-9A-Z][0-9]{3}\\\\z'"} <= forms


@pytest.mark.parametrize(
    ("check", "dtype", "words"),
    [
        (C.ge(0), INT, "at least 0"),
        (C.gt(D("0.5")), MONEY, "more than 0.5"),
        (C.le(date(2024, 1, 1)), DATE, "at most 2024-01-01"),
        (C.lt(5), INT, "less than 5"),
        (C.eq(5), INT, "5"),
        (C.ne(5, name="other"), INT, "not 5"),
        (C.in_range(1, 5), INT, "1 to 5"),
        (C.in_range(0, 1, include_max=False), INT, "0 to 1, without 1"),
        (C.in_range(0, 2, include_min=False, include_max=False), INT,
         "0 to 2, without 0 and 2"),
        (C.isin(["b", "a"]), TEXT, "`b`, `a`"),
        (C.notin(["b", "a"]), TEXT, "not `b`, `a`"),
        (C.str_matches("[0-9]"), TEXT, "`[0-9]`"),
        (C.str_matches(base.CCN_PATTERN), TEXT, "CCN"),
    ],
)  # fmt: skip
def test_the_dictionary_has_words_for_every_check(check, dtype, words):
    (line,) = [t for t in dictionary([contract(check, dtype=dtype)], []).splitlines() if t.startswith("| `x` |")]
    assert line.split(" | ")[4] == words
