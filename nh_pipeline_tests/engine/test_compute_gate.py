"""The gate: every kind of rule, and what it tells of the rows that break it."""

from __future__ import annotations

from datetime import date

import pytest
from pyspark.sql import functions as F

from nh_pipeline.model.columns import category, ccn, count, stars
from nh_pipeline.model.columns import date as day
from nh_pipeline.model.rules import Rule
from nh_pipeline.model.table import Table
from nh_pipeline.pipeline.context import accounting
from nh_pipeline.pipeline.gate import SAMPLE_ROWS, gate
from nh_pipeline.tables import tables

pytestmark = pytest.mark.integration

CONTRACT = Table(
    name="silver.t",
    description="A table.",
    columns=(
        ccn("provider_id", "CCN"),
        day("day", "when", nullable=False),
        count("census", "residents", nullable=False),
        stars("rating", "stars"),
        category("kind", "kind", ("a", "it's")),
    ),
    grain=("provider_id", "day"),
    rules=(
        Rule("stars_need_residents", "rating is null or census > 0", "no residents, no stars"),
        Rule("census_is_small", "census < 500", "large homes are rare", blocking=False),
    ),
)


def good(nth: int) -> dict[str, object]:
    return {"provider_id": f"{nth:06d}", "day": date(2024, 4, 1), "census": 5, "rating": 3, "kind": "a"}


@pytest.fixture
def checked(engine):
    def checked(*rows: dict[str, object]):
        frame = engine.createDataFrame([tuple(r[c] for c in CONTRACT.names) for r in rows], CONTRACT.spark)
        return {r.name: r for r in gate(CONTRACT, frame, rows=len(rows))}

    return checked


def test_good_rows_pass(checked):
    results = checked(good(1), {**good(2), "rating": None, "kind": None}, {**good(3), "kind": "it's"})
    assert [(r.name, r.passed, r.failed_rows, r.sample, r.advice) for r in results.values()] == [
        (name, True, 0, [], "") for name in ("schema", "grain", "values", "stars_need_residents", "census_is_small")
    ]
    assert results["values"].rows == 3
    # provider_id: not null, pattern; day; census: not null, at least 0; rating: range; kind: list.
    assert results["values"].description.startswith("7 rules on single columns")


@pytest.mark.parametrize(
    ("cells", "rule", "advice"),
    [
        ({"census": None}, "census_not_null", "census is never NULL"),
        ({"census": -1, "rating": None}, "census_at_least", "expected census >= 0"),
        ({"rating": 6}, "rating_between", "expected rating between 1 and 5"),
        ({"rating": 0}, "rating_between", "expected rating between 1 and 5"),
        ({"kind": "A"}, "kind_one_of", "expected kind in ("),
        ({"provider_id": "15009"}, "provider_id_matches", "expected provider_id rlike"),
        ({"provider_id": "12a456"}, "provider_id_matches", "expected provider_id rlike"),
        ({"provider_id": "12A456\n"}, "provider_id_matches", "expected provider_id rlike"),
        ({"provider_id": None}, "provider_id_not_null", "provider_id is never NULL"),
    ],
)
def test_values(checked, cells, rule, advice):
    wrong = {**good(2), **cells}
    results = checked(good(1), wrong)
    values = results["values"]
    assert (values.passed, values.blocking, values.failed_rows, values.rows) == (False, True, 1, 2)
    assert advice in values.advice
    assert values.sample == [{"rule": rule, "rows": "1", "provider_id": str(wrong["provider_id"]), "day": "2024-04-01"}]
    assert {name for name, r in results.items() if not r.passed} == {"values"}


def test_several_values_are_counted_each(checked):
    values = checked(good(1), {**good(2), "rating": 9, "kind": "z"}, {**good(3), "rating": 9})["values"]
    assert values.failed_rows == 3
    assert [(s["rule"], s["rows"]) for s in values.sample] == [("rating_between", "2"), ("kind_one_of", "1")]


def test_rules_across_columns_with_a_bounded_sample(checked):
    wrong = [{**good(n), "census": 0} for n in range(30)]
    results = checked(good(99), *wrong)
    rule = results["stars_need_residents"]
    assert (rule.passed, rule.blocking, rule.failed_rows, rule.rows) == (False, True, 30, 31)
    assert (rule.advice, rule.description) == ("no residents, no stars", "rating is null or census > 0")
    assert [row["provider_id"] for row in rule.sample] == [f"{n:06d}" for n in range(SAMPLE_ROWS)]
    assert set(rule.sample[0]) == set(CONTRACT.names)
    assert results["values"].passed


def test_advisory_rules_do_not_block(checked):
    rule = checked({**good(1), "census": 500})["census_is_small"]
    assert (rule.passed, rule.blocking, rule.failed_rows) == (False, False, 1)


def test_grain(checked):
    grain = checked(*(good(n // 2) for n in range(50)), good(99))["grain"]
    assert (grain.passed, grain.blocking, grain.failed_rows, grain.rows) == (False, True, 25, 51)
    assert grain.description == "one row per provider_id, day"
    assert len(grain.sample) == SAMPLE_ROWS
    assert grain.sample[0] == {"provider_id": "000000", "day": "2024-04-01", "rows": "2"}


def test_null_keys(checked):
    results = checked({**good(1), "day": None}, {**good(2), "day": None}, {**good(2), "day": None})
    assert (results["values"].failed_rows, results["grain"].failed_rows) == (3, 1)


def test_schema(engine):
    frame = engine.createDataFrame([("015009", 5, "x")], "provider_id string, census bigint, more string")
    (schema,) = gate(CONTRACT, frame, rows=1)
    assert (schema.name, schema.passed, schema.blocking, schema.failed_rows) == ("schema", False, True, 5)
    assert schema.sample == [
        {"column": "day", "expected": "date", "found": "missing"},
        {"column": "census", "expected": "int", "found": "bigint"},
        {"column": "rating", "expected": "int", "found": "missing"},
        {"column": "kind", "expected": "string", "found": "missing"},
        {"column": "more", "expected": "no such column", "found": "string"},
    ]


def test_an_engine_that_loses_rows_is_stopped(engine):
    frame = engine.createDataFrame([tuple(good(1).values())], CONTRACT.spark)
    with pytest.raises(RuntimeError, match=r"silver\.t: 2 rows staged but the engine reads 1"):
        gate(CONTRACT, frame, rows=2)


def test_no_rows(engine):
    results = gate(CONTRACT, engine.createDataFrame([], CONTRACT.spark), rows=0)
    assert all(r.passed and r.failed_rows == 0 for r in results)


@pytest.mark.parametrize(
    "contract",
    tables(),
    ids=lambda c: c.name,
)
def test_every_contract_compiles(engine, contract):
    empty = engine.createDataFrame([], contract.spark)
    assert all(r.passed for r in gate(contract, empty, rows=0))
    nothing = engine.createDataFrame([(None,) * len(contract.names)], contract.spark)
    values = next(r for r in gate(contract, nothing, rows=1) if r.name == "values")
    required = [c for c in contract.columns if not c.nullable]
    assert values.failed_rows == len(required)


def test_accounting():
    assert accounting(5, 3, 2).passed
    lost = accounting(5, 3, 1)
    assert (lost.passed, lost.blocking, lost.failed_rows, lost.rows) == (False, True, 1, 5)
    assert lost.description == "5 rows in = 3 out + 1 rejected"


def publish(w, rows):
    staged = w.stage(CONTRACT, rows, ["all"])
    return w.publish_if_valid(
        CONTRACT,
        staged,
        w.check(CONTRACT, staged),
        base=w.lake.snapshot(CONTRACT),
        extent="all",
        built_from={"all": "x"},
    )[0]


def test_a_refused_step_leaves_the_table_as_it_was(workspace):
    w = workspace()

    def build(frame):
        base = w.lake.snapshot(CONTRACT)
        staged = w.stage(CONTRACT, frame, ["all"])
        return w.publish_if_valid(
            CONTRACT, staged, w.check(CONTRACT, staged), base=base, extent="all", built_from={"all": "x"}
        )[0]

    rows = w.spark.createDataFrame([tuple(good(1).values())], CONTRACT.spark)
    assert build(rows).published is not None
    before = w.lake.snapshot(CONTRACT)
    second = build(rows.withColumn("census", F.lit(-1)))
    assert (second.published, [c.name for c in second.refused]) == (None, ["values", "stars_need_residents"])
    assert w.lake.snapshot(CONTRACT) == before
    assert len(list(w.lake.storage.files("warehouse", suffix=".parquet"))) == 1
