"""Slowly changing dimensions (type 2): always built anew from all effective releases."""

from __future__ import annotations

from typing import Literal

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nh_pipeline.model.table import WHOLE, Table
from nh_pipeline.pipeline.chosen import Chosen
from nh_pipeline.pipeline.context import BuildContext, accounting, rows_kept
from nh_pipeline.pipeline.gate import CheckResult, gate_sample
from nh_pipeline.pipeline.result import BuildResult, TableBuild
from nh_pipeline.tables import table
from nh_pipeline.transforms import scd2


class BuildHistory(TableBuild, frozen=True):
    """Builds a dimension, whole."""

    kind: Literal["build_history"] = "build_history"

    def _attempt(self, context: BuildContext) -> BuildResult:
        built = table(self.table)
        of = Chosen.of(context, built)
        of.found.require_noted()
        key = of.dataset.key
        with of.read() as read:
            good = int(read.where("reason is null").count())
            lines = of.refused(read, good=good)
            # A line with refused values says all the same that its key is in the release.
            rows = read.where(" and ".join(f"{c} is not null" for c in key))
            rows, absence_ends = _states(rows, of), of.dataset.changed_by is None
            versions = scd2.versions(
                rows, built, lacking=of.found.lacking, refused=lines.rows > 0, absence_ends=absence_ends
            )
            staged = context.stage(built, versions, [WHOLE])
            checks = [
                *context.check(built, staged),
                history(context.staged_rows(built, staged), built),
                _current(context.staged_rows(built, staged), rows, built, absence_ends=absence_ends),
                accounting(of.source.rows, good, lines.rows),
            ]
        had, has = (
            int(rows.select(*key).distinct().count())
            for rows in (context.read(built, of.base), context.staged_rows(built, staged))
        )
        kept = rows_kept(had, has, of.found.loss_known(of.before), what="keys")
        return of.publish(staged, checks, lines, extent="all", kept=kept)


def _states(rows: DataFrame, of: Chosen) -> DataFrame:
    """One row for each key and release, of the keys in scope, as the table has them."""
    key, kind = of.dataset.key, of.built.kind
    scope = kind.scope() if kind.scope else ""
    if scope:
        rows = rows.join(rows.where(scope).select(*key).distinct(), list(key), "leftsemi")
    if of.dataset.changed_by is not None:
        rows = scd2.last_said(rows, key, of.ids)
    return rows if kind.transform is None else kind.transform(rows)


def history(rows: DataFrame, built: Table) -> CheckResult:
    """SCD2 validity between versions."""
    broken = scd2.broken_history(rows, built)
    failed = int(broken.count())
    told = "versions of a key do not overlap, differ from their neighbour, and only the last is current"
    advice = "transforms/scd2.py builds versions that break its own rules"
    return CheckResult.counted("scd2_history", failed, told, advice, sample=gate_sample(broken) if failed else [])


def _current(staged: DataFrame, rows: DataFrame, built: Table, *, absence_ends: bool) -> CheckResult:
    """That the current versions are the keys of the latest release, or of all."""
    key = list(built.grain[:-1])
    if absence_ends:
        latest = rows.agg(F.max("release").alias("release")).first()
        rows = rows.where(F.col("release") == F.lit(latest["release"] if latest else None))
    newest = rows.select(*key).distinct()
    current = staged.where("is_current").select(*key)
    strays = int(newest.exceptAll(current).count()) + int(current.exceptAll(newest).count())
    which = "the latest effective release" if absence_ends else "all effective deliveries"
    as_of_latest = f"the current versions are exactly the keys of {which}"
    left = "keys are missing or left over: transforms/scd2.py"
    return CheckResult.counted("current_is_latest_release", strays, as_of_latest, left)
