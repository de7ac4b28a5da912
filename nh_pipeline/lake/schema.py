"""Contracts as Iceberg tables: schema, partition spec, properties. Derives, decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform, MonthTransform, Transform
from pyiceberg.types import NestedField

if TYPE_CHECKING:
    from nh_pipeline.model.columns import Column
    from nh_pipeline.model.table import Table as Contract


def iceberg_schema(contract: Contract) -> Schema:
    """All columns optional: ``add_files`` refuses nullable Parquet against required fields, the gate does it."""
    return Schema(
        *(
            NestedField(i, column.name, column.type.of("iceberg"), required=False, doc=_doc(column))
            for i, column in enumerate(contract.columns, 1)
        )
    )


LONGEST_DOC = 255
"""Bytes that the Glue Data Catalog keeps of a column's comment; the data dictionary has all of them."""


def _doc(column: Column) -> str:
    told = f"{column.description} [{column.unit}]" if column.unit else column.description
    if len(told.encode()) <= LONGEST_DOC:
        return told
    return f"{told.encode()[: LONGEST_DOC - 3].decode(errors='ignore').rpartition(' ')[0]}..."


def partition_spec(contract: Contract, schema: Schema) -> PartitionSpec:
    """The month of a date, or the identity of the columns by which the table is cut; none for one partition."""
    monthly = contract.partitioning.monthly
    transform: Transform[Any, Any] = MonthTransform() if monthly else IdentityTransform()
    return PartitionSpec(
        *(
            PartitionField(
                source_id=schema.find_field(name).field_id,
                field_id=1000 + i,
                transform=transform,
                name=f"{name}_month" if monthly else name,
            )
            for i, name in enumerate(contract.partitioning.columns)
        )
    )


def properties(contract: Contract, schema: Schema) -> dict[str, str]:
    """Table properties at creation.

    The name mapping lets readers resolve columns of files without field ids (as they were before
    :mod:`nh_pipeline.lake.field_ids`). Commit retries are ours (:mod:`nh_pipeline.lake.publish`), because a blind
    retry could put older data over newer.
    """
    return {
        "format-version": "2",
        "comment": contract.description,
        "commit.retry.num-retries": "0",
        "schema.name-mapping.default": schema.name_mapping.model_dump_json(),
        "write.metadata.delete-after-commit.enabled": "true",
        "write.metadata.previous-versions-max": "50",
        "write.parquet.compression-codec": "zstd",
    }
