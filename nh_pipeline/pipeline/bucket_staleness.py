"""Staleness of marts that are cut by buckets of patients: which buckets would come out differently now.

A bucket is stale if one of its own inputs changed, or anything that is read whole. Of a table in which references are
looked up, only what the bucket refers to counts: else each new clinician would concern all patients.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from nh_pipeline.lake.duck import reading
from nh_pipeline.model.mart import Lookup
from nh_pipeline.model.view import REFERENCE
from nh_pipeline.pipeline.build_state import recorded_inputs
from nh_pipeline.pipeline.mart_staleness import Inputs, only_changed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nh_pipeline.lake.lake import Lake


_FOUND: dict[tuple[object, ...], set[str]] = {}
"""What was found to refer to what changed, between which snapshots: a plan is made anew for each of its parts."""

_MOST_FOUND = 200


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
        read = tuple((snapshot.table, snapshot.snapshot_id) for snapshot in inputs.snapshots)
        seen = (lake.storage.root, mart.table.name, read, then, frozenset(parts))
        if seen not in _FOUND:
            if len(_FOUND) == _MOST_FOUND:
                _FOUND.clear()
            _FOUND[seen] = parts & _referring(lake, inputs, json.loads(then), parts)
        stale |= _FOUND[seen]
    return sorted(stale, key=int)


def _looked_up(inputs: Inputs, memory: str) -> dict[str, int | None]:
    found = json.loads(memory)["inputs"]
    return {read.table.name: found[read.table.name] for read in inputs.mart.reads if isinstance(read, Lookup)}


def _referring(lake: Lake, inputs: Inputs, then: dict[str, int | None], parts: set[str]) -> set[str]:
    """Those of some buckets that refer to what a lookup says otherwise now."""
    found = set[str]()
    for number, read in enumerate(inputs.mart.reads):
        now = inputs.snapshots[number]
        if not isinstance(read, Lookup) or then[read.table.name] == now.snapshot_id:
            continue
        before = then[read.table.name]
        old = lake.snapshot_at(read.table, before) if before is not None else None
        if old is None:  # that snapshot has expired, or there was none: nothing to compare with
            return parts
        with reading(lake, {"old": (read.table, old), "now": (read.table, now)}) as db:
            differs = "(from old except all from now) union all (from now except all from old)"
            changed = [row[0] for row in db.execute(f"select distinct {read.key} from ({differs})").fetchall()]
        found |= _with(lake, inputs, changed, parts)
    return found


def _with(lake: Lake, inputs: Inputs, references: list[str], parts: set[str]) -> set[str]:
    """The buckets in which one of these references occurs."""
    found = set[str]()
    bucket = inputs.mart.bucket
    for table, snapshot in zip(inputs.mart.inputs, inputs.only(parts).snapshots, strict=True):
        columns = [c for c in table.names if c.endswith(REFERENCE)]
        if references and columns and bucket in table.partitioning.columns:
            within = " or ".join(f"{c} in (select unnest(?))" for c in columns)
            with reading(lake, {"t": (table, snapshot)}) as db:
                sql = f"select distinct {bucket} from t where {within}"
                found |= {str(row[0]) for row in db.execute(sql, [references] * len(columns)).fetchall()}
    return found
