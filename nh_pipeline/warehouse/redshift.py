"""How rows get into Redshift: it reads the lake's files on S3 itself, by a role, as a manifest lists them.

Not verified on an account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
from sqlglot import exp

from nh_pipeline.model.types import INSTANT
from nh_pipeline.warehouse.connection import WarehouseError
from nh_pipeline.warehouse.definition import kind, name, temporary

if TYPE_CHECKING:
    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.lake.snapshots import SnapshotFile, TableSnapshot
    from nh_pipeline.model.columns import Column
    from nh_pipeline.model.table import Table
    from nh_pipeline.warehouse.connection import Session


def staged(session: Session, lake: Lake, table: Table, snapshot: TableSnapshot) -> list[exp.Select]:
    """Copies the files of a snapshot into temporary tables; what selects the declaration's columns from each.

    Redshift takes the columns of a file by their places, all of them: files with the same columns are one table. It
    reads points in time without a zone; they are in UTC.

    Raises:
        WarehouseError: the lake is not on S3, or a file has a column that its table lacks.
    """
    if lake.storage.local:
        raise WarehouseError(f"Redshift reads files on S3 alone, and the lake is in {lake.root}: load it into Postgres")
    selects: list[exp.Select] = []
    for columns, files in _by_columns(lake, snapshot).items():
        if unknown := [column for column in columns if column not in table.by_name]:
            raise WarehouseError(f"{table.name}: its files have columns that it lacks: {', '.join(unknown)}")
        stage = name(f"stage_{len(selects)}")
        session.run(temporary(stage, {column: _kind(table.by_name[column]) for column in columns}))
        manifest = f"state/warehouse/{table.name}.json"
        lake.storage.write_json(manifest, {"entries": [_entry(lake, file) for file in files]})
        try:
            session.run(copy(stage, lake.storage.uri(manifest), session.address.iam_role))
        finally:
            lake.storage.delete(manifest)
        selects.append(exp.select(*(_selected(column, columns) for column in table.columns)).from_(stage))
    return selects


def copy(stage: exp.Table, manifest: str, iam_role: str) -> str:
    """The statement that reads the Parquet files of a manifest."""
    return f"copy {stage.sql(dialect='redshift')} from '{manifest}' iam_role '{iam_role}' format as parquet manifest"


def _by_columns(lake: Lake, snapshot: TableSnapshot) -> dict[tuple[str, ...], list[SnapshotFile]]:
    found: dict[tuple[str, ...], list[SnapshotFile]] = {}
    for file in snapshot.files:
        with lake.open(file.path) as source:
            found.setdefault(tuple(pq.read_schema(source).names), []).append(file)
    return found


def _entry(lake: Lake, file: SnapshotFile) -> dict[str, Any]:
    (info,) = lake.storage.fs.get_file_info([lake.storage.path(lake.relative(file.path))])
    return {"url": file.path, "mandatory": True, "meta": {"content_length": info.size}}


def _kind(column: Column) -> exp.DataType:
    return exp.DataType.build("timestamp") if column.type == INSTANT else kind(column)


def _selected(column: Column, there: tuple[str, ...]) -> exp.Expr:
    quoted = exp.column(column.name, quoted=True)
    if column.name not in there:
        return exp.alias_(exp.cast(exp.null(), kind(column)), column.name, quoted=True)
    if column.type == INSTANT:
        return exp.alias_(exp.AtTimeZone(this=quoted, zone=exp.Literal.string("UTC")), column.name, quoted=True)
    return quoted
