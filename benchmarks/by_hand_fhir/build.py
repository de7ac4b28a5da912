"""Bundles to Parquet, a table each."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.by_hand_fhir.bronze import ONLY, TABLES
from benchmarks.by_hand_fhir.codes import macros
from benchmarks.by_hand_fhir.elements import ENTRY, HEAD, RESOURCES
from benchmarks.clock import Clock

HERE = Path(__file__).resolve().parent
LAYERS = {"silver": ("care", "claims", "references"), "gold": ("stays", "population")}
"""Files of SQL, in this order."""


def build(archive: Path, out: Path) -> dict[str, float]:
    """Builds bronze, silver and gold as Parquet files; seconds of wall and of CPU per layer."""
    clock, files = Clock(), out / "json"
    with zipfile.ZipFile(archive) as bundles:
        bundles.extractall(files)
    clock.lap("unpacking")
    with duckdb.connect() as db:
        db.execute("set threads to 2; set preserve_insertion_order = false; set timezone = 'UTC'")
        _bronze(db, files)
        _written(db, out)
        clock.lap("bronze")
        db.execute("\n".join(macros()))
        for layer, statements in LAYERS.items():
            for name in statements:
                db.execute((HERE / f"{name}.sql").read_text())
            _written(db, out)
            clock.lap(layer)
    return clock.laps


def _bronze(db: duckdb.DuckDBPyConnection, files: Path) -> None:
    db.execute(
        f"""create temp table entry as
            select filename, bundle_type, e.fullUrl as full_url, e.request.method as request_method,
                   e.request.url as request_url, e.request.ifNoneExist as if_none_exist,
                   e.resource as resource, from_json(e.resource, '{json.dumps(HEAD)}') as head
            from (select filename, type as bundle_type, unnest(entry) as e
                  from read_json('{files}/**/*.json', columns = {{type: 'VARCHAR', entry: '{_type([ENTRY])}'}},
                                 filename = true, maximum_object_size = 268435456));
        create table deletion as
            select split_part(request_url, '/', 1) as resource_type, split_part(request_url, '/', 2) as id, filename
            from entry where request_method = 'DELETE';
        create table resource as
            select distinct on (resource_type, id, content_md5) head.resourceType as resource_type, head.id as id,
                   head.meta.lastUpdated as last_updated, head.meta.versionId as version_id,
                   head.meta.profile[1] as profile, head.status ->> '$' as status, md5(resource) as content_md5,
                   coalesce(head.subject.reference, head.patient.reference, head.beneficiary.reference) as subject_ref,
                   case when resource_type = 'Patient' then id else regexp_extract(subject_ref, '[^:/]+$') end
                   as patient_id, full_url, bundle_type, request_method, request_url, if_none_exist, filename, resource
            from entry where resource is not null"""
    )
    for of, elements in RESOURCES.items():
        db.execute(
            f"""create temp table parsed_{of} as
            select rowid as resource_key, id, last_updated, version_id, content_md5, patient_id, subject_ref, filename,
                   from_json(resource, '{json.dumps(elements)}') as r from resource where resource_type = '{of}'"""
        )
    rows: dict[str, list[str]] = {}
    for table, of, columns, unnested in TABLES:
        source = f"parsed_{of}"
        for path, name in (element.rsplit(" ", 1) for element in unnested):
            source = f"(select *, unnest({path}) as {name}, generate_subscripts({path}, 1) as nth_{name} from {source})"
        rows.setdefault(table, []).append(
            f"""select resource_key, id, last_updated, version_id, content_md5, patient_id, subject_ref, filename,
            {columns} from {source}"""
        )
    for table, parts in rows.items():
        db.execute(f"create table {table} as from ({' union all by name '.join(parts)}) {ONLY.get(table, '')}")


def _written(db: duckdb.DuckDBPyConnection, out: Path) -> None:
    """Tables that are not written yet, as Parquet."""
    out.mkdir(exist_ok=True)
    tables = "select table_name from duckdb_tables() where not temporary order by table_name"
    for (table,) in db.execute(tables).fetchall():
        path = out / f"{table}.parquet"
        if not path.exists():
            db.execute(f"copy {table} to '{path}' (format parquet, compression zstd)")


def _type(elements: Any) -> str:
    """DuckDB's type of a structure of JSON."""
    if isinstance(elements, list):
        return f"{_type(elements[0])}[]"
    if isinstance(elements, dict):
        return f"STRUCT({', '.join(f'{name} {_type(of)}' for name, of in elements.items())})"
    return str(elements)
