"""The gate: a table's rules, run on staged files before anything is published.

One query: an aggregate pass for all rules, and a grouping for the grain; and a sample query for each rule that failed
(pandera's own Spark errors carry neither rows nor counts; a property test holds the two to the same verdicts).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nh_pipeline.model.rules import Rule
    from nh_pipeline.model.table import Table

SAMPLE_ROWS = 20


class CheckResult(BaseModel, frozen=True):
    """What came of one rule: how many rows break it, at most 20 of them, and what to do.

    ``blocking`` results protect the table: if one fails, nothing is published.
    """

    name: str
    passed: bool
    blocking: bool = True
    failed_rows: int = 0
    rows: int = 0
    description: str = ""
    advice: str = ""
    sample: list[dict[str, str]] = []

    @classmethod
    def counted(
        cls,
        name: str,
        failed_rows: int,
        description: str,
        advice: str,
        *,
        sample: Sequence[dict[str, str]] = (),
        **more: Any,
    ) -> CheckResult:
        """Passed if nothing breaks the rule; else with the advice and a sample."""
        sample = list(sample)[:SAMPLE_ROWS] if failed_rows else []
        told = {"failed_rows": failed_rows, "description": description, "advice": advice if failed_rows else ""}
        return cls(name=name, passed=not failed_rows, sample=sample, **told, **more)


def gate(table: Table, staged: DataFrame, *, rows: int) -> list[CheckResult]:
    """Checks staged files, read with their own schema, against a table's declaration.

    The engine must see as many rows as the file footers say. Results are ``schema``, ``grain`` and ``values`` (all
    null, range and pattern rules), then one per row rule.
    """
    results = [_schema(table, staged)]
    if not results[0].passed:
        return results
    values = table.value_rules
    rules = [*values, *table.rules]
    broken = staged.agg(
        F.count(F.lit(1)).alias("rows"),
        *(F.count(F.expr(f"case when not ({r.sql}) then 1 end")).alias(f"r{i}") for i, r in enumerate(rules)),
    )
    doubled = _doubled(table, staged)
    counts = broken.crossJoin(doubled.agg(F.count(F.lit(1)).alias("keys"))).first()
    if counts is None or int(counts["rows"]) != rows:
        seen = 0 if counts is None else int(counts["rows"])
        raise RuntimeError(f"{table.name}: {rows} rows staged but the engine reads {seen}; nothing was published")
    results.append(_grain(table, doubled, int(counts["keys"]), rows))
    failed = {r.name: int(counts[f"r{i}"]) for i, r in enumerate(rules)}
    results.append(_values(table, staged, values, failed, rows))
    results += [_one(staged, r, failed[r.name], rows, keys=table.grain if table.sensitive else ()) for r in table.rules]
    return results


def _schema(table: Table, staged: DataFrame) -> CheckResult:
    expected = {c.name: c.type.sql for c in table.columns}
    found = {f.name: f.dataType.simpleString() for f in staged.schema.fields}
    wrong = [
        {"column": c, "expected": expected.get(c, "no such column"), "found": found.get(c, "missing")}
        for c in [*expected, *(c for c in found if c not in expected)]
        if expected.get(c) != found.get(c)
    ]
    advice = "the transform and the declaration disagree: change one of them"
    return CheckResult.counted(
        "schema", len(wrong), "columns and types are those of the contract", advice, sample=wrong
    )


def _doubled(table: Table, staged: DataFrame) -> DataFrame:
    # Group and count: a distinct count over several columns is two orders slower on Sail.
    return staged.groupBy(*table.grain).agg(F.count(F.lit(1)).alias("rows")).where("rows > 1")


def grain(table: Table, rows: DataFrame, *, count: int) -> CheckResult:
    """The rule alone that no key occurs twice, on rows that may have been published long ago."""
    doubled = _doubled(table, rows)
    return _grain(table, doubled, int(doubled.count()), count)


def _grain(table: Table, doubled: DataFrame, keys: int, rows: int) -> CheckResult:
    told, sample = f"one row per {', '.join(table.grain)}", gate_sample(doubled) if keys else []
    advice = "keys that occur more than once: the transform joins or unions too much"
    return CheckResult.counted("grain", keys, told, advice, rows=rows, sample=sample)


def _values(table: Table, staged: DataFrame, rules: Sequence[Rule], failed: dict[str, int], rows: int) -> CheckResult:
    broken = [r for r in rules if failed[r.name]]
    sample: list[dict[str, str]] = []
    for rule in broken[:SAMPLE_ROWS]:
        found = gate_sample(staged.where(f"not ({rule.sql})").select(*table.grain), 1)
        sample += [{"rule": rule.name, "rows": str(failed[rule.name]), **row} for row in found]
    told = f"{len(rules)} rules on single columns: not null, ranges, patterns, closed lists"
    advice = "; ".join(r.advice for r in broken[:5])
    return CheckResult.counted("values", sum(failed[r.name] for r in broken), told, advice, rows=rows, sample=sample)


def _one(staged: DataFrame, rule: Rule, failed: int, rows: int, *, keys: Sequence[str]) -> CheckResult:
    """What breaks a rule, whole rows of it, or, of what is protected, ``keys`` alone."""
    broken = staged.where(f"not ({rule.sql})")
    sample = gate_sample(broken.select(*keys) if keys else broken) if failed else []
    more = {"blocking": rule.blocking, "rows": rows}
    return CheckResult.counted(rule.name, failed, rule.sql, rule.advice, sample=sample, **more)


def gate_sample(rows: DataFrame, limit: int = SAMPLE_ROWS) -> list[dict[str, str]]:
    """At most ``limit`` rows as text, ordered so that a re-run shows the same ones."""
    return [
        {k: str(v) for k, v in row.asDict().items()} for row in rows.orderBy(*rows.columns[:2]).limit(limit).collect()
    ]
