"""Staleness of marts that are cut by buckets of patients: which buckets would come out differently now.

A bucket is stale if one of its own inputs changed, or anything that is read whole. Of a table in which references are
looked up, only what the bucket refers to counts: else each new clinician would concern all patients.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from nh_pipeline.lake.duck import reading
from nh_pipeline.model.mart import Lookup
from nh_pipeline.model.view import REFERENCE
from nh_pipeline.pipeline.build_state import recorded_inputs
from nh_pipeline.pipeline.mart_staleness import Inputs, only_changed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.lake.snapshots import TableSnapshot
    from nh_pipeline.model.table import Table


def stale_buckets(lake: Lake, inputs: Inputs, refused: Mapping[str, str] | None = None) -> list[str]:
    """The buckets of a mart whose rows would come out differently now, in order.

    Passing over those that the gate refused, and would again: ``refused`` says what they would be built from.
    """
    mart = inputs.mart
    state = recorded_inputs(lake, mart.table)
    refused = refused or {}
    stale, by_state = set[str](), dict[str, set[str]]()
    for part in inputs.parts | lake.snapshot(mart.table).present:
        now, then = inputs.of(part), state.get(part, "")
        if now in (then, refused.get(part)):
            continue
        if only_changed(mart, Lookup, then, now):
            by_state.setdefault(json.dumps(_looked_up(inputs, then)), set()).add(part)
        else:
            stale.add(part)
    for then, parts in by_state.items():
        stale |= parts & _referring(lake, inputs, json.loads(then), parts)
    return sorted(stale, key=int)


def _looked_up(inputs: Inputs, memory: str) -> dict[str, int | None]:
    found = json.loads(memory)["inputs"]
    return {read.table.name: found[read.table.name] for read in inputs.mart.reads if isinstance(read, Lookup)}


def _referring(lake: Lake, inputs: Inputs, then: dict[str, int | None], parts: set[str]) -> set[str]:
    """Those of some buckets, and maybe others, that refer to what a lookup says otherwise now."""
    found = set[str]()
    bucket = inputs.mart.bucket
    place = replace(lake, pinned_snapshots={})  # what is kept for it is not to keep all tables, too
    for read, now in zip(inputs.mart.reads, inputs.snapshots, strict=True):
        if not isinstance(read, Lookup) or then[read.table.name] == now.snapshot_id:
            continue
        before = then[read.table.name]
        old = lake.snapshot_at(read.table, before) if before is not None else None
        if old is None:  # that snapshot has expired, or there was none: nothing to compare with
            return parts
        changed = _changed(place, read, old, now)
        for table, snapshot in zip(inputs.mart.inputs, inputs.snapshots, strict=True):
            if bucket in table.partitioning.columns:
                found |= _with(place, table, snapshot, bucket, changed)
    return found


# Marts share lookups and inputs, and each part of a plan asks anew.


@lru_cache(maxsize=16)
def _changed(lake: Lake, read: Lookup, old: TableSnapshot, now: TableSnapshot) -> tuple[str, ...]:
    """The references of which two snapshots of a lookup say something else."""
    with reading(lake, {"old": (read.table, old), "now": (read.table, now)}) as db:
        differs = "(from old except all from now) union all (from now except all from old)"
        found = db.execute(f"select distinct {read.key} from ({differs}) order by all").fetchall()
    return tuple(row[0] for row in found)


@lru_cache(maxsize=64)
def _with(
    lake: Lake, table: Table, snapshot: TableSnapshot, bucket: str, references: tuple[str, ...]
) -> frozenset[str]:
    """The buckets in which one of these references occurs."""
    columns = [c for c in table.names if c.endswith(REFERENCE)]
    if not references or not columns:
        return frozenset()
    within = " or ".join(f"{c} in (select unnest(?))" for c in columns)
    with reading(lake, {"t": (table, snapshot)}) as db:
        found = db.execute(f"select distinct {bucket} from t where {within}", [list(references)] * len(columns))
        return frozenset(str(row[0]) for row in found.fetchall())
