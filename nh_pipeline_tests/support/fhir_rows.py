"""Small frames of clinical bronze and silver: what a test does not say is NULL, or like any other delivery."""

from __future__ import annotations

from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any
from zlib import crc32

from nh_pipeline.model.view import BUCKETS, NO_PATIENT
from nh_pipeline.pipeline.gate import gate
from nh_pipeline_tests.support.frames import frame_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import DataFrame, Row, SparkSession

    from nh_pipeline.model.table import Table

EXPORTED = datetime(2024, 6, 1, 12, tzinfo=timezone.utc)

_DELIVERED = {
    "content_md5": "c", "version_at": EXPORTED, "dt": date(2024, 6, 1), "exported_at": EXPORTED,
    "modified_at": EXPORTED, "source": "default", "member": "", "delivery_id": "d1", "n_versions": 1,
}  # fmt: skip


def bucket(patient_id: str | None) -> int:
    """The bucket of a patient."""
    return crc32(patient_id.encode()) % BUCKETS if patient_id else NO_PATIENT


def row(table: Table, line: int, said: Mapping[str, Any]) -> dict[str, Any]:
    """One row. A reference may be said as ``subject="Patient/1"``, a concept as ``code="system|code"``.

    A row belongs to the patient that its subject is.
    """
    full: dict[str, Any] = {**_DELIVERED, "source_line": line}
    for name, value in said.items():
        if f"{name}_ref" in table.by_name:
            by_id = value is not None and "?" not in value
            full |= {
                f"{name}_ref": value,
                f"{name}_kind": "none" if value is None else "relative" if by_id else "conditional",
                f"{name}_id": value.split("/")[1] if by_id else None,
            }
        elif f"{name}_system" in table.by_name and name not in table.by_name and value is not None:
            full[f"{name}_system"], full[f"{name}_code"] = value.split("|")
        else:
            full[name] = value
    of = full.get("resource_id") if said.get("resource_type") == "Patient" or table.name.endswith(".patient") else None
    full.setdefault("patient_id", full.get("subject_id", of))
    full["patient_bucket"] = bucket(full["patient_id"])
    unknown = set(said) - set(table.by_name) - {n.rsplit("_", 1)[0] for n in table.by_name}
    assert not unknown, f"{table.name} has no {unknown}"
    return {name: value for name, value in full.items() if name in table.by_name}


def rows(engine: SparkSession, table: Table, *said: Mapping[str, Any]) -> DataFrame:
    """The frame of these rows, in lines 1, 2, … of one delivery unless they say something else."""
    return frame_of(engine, table, [row(table, line, one) for line, one in enumerate(said, 1)])


def passed(engine: SparkSession, table: Table, made: DataFrame, *, warned: Sequence[str] = ()) -> list[Row]:
    """What a transform made, computed once, which the gate lets pass, with no warnings but these."""
    found = made.collect()
    results = gate(table, engine.createDataFrame(found, made.schema), rows=len(found))
    assert [result.name for result in results if not result.passed] == list(warned)
    return found


def utc(text: str) -> datetime:
    """An instant."""
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


def instant(value: Any) -> Any:
    """A collected value: Spark gives instants by the machine's clock, and does not say so."""
    return value.astimezone(timezone.utc) if isinstance(value, datetime) else value
