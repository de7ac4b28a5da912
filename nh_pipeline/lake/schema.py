"""Contracts as Iceberg tables: schema, partition spec, properties. Derives, decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyspark.sql.types as T
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform, MonthTransform, Transform
from pyiceberg.types import (
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    IcebergType,
    IntegerType,
    LongType,
    NestedField,
    StringType,
)

if TYPE_CHECKING:
    from nh_pipeline.contracts.base import Contract

_PLAIN: dict[type[T.DataType], IcebergType] = {
    T.StringType: StringType(),
    T.IntegerType: IntegerType(),
    T.LongType: LongType(),
    T.DoubleType: DoubleType(),
    T.BooleanType: BooleanType(),
    T.DateType: DateType(),
}
_PARTITION_COLUMNS = {"month": ("work_date",), "delivery": ("delivery_id",), "rejects": ("delivery_id", "stage")}


def iceberg_type(dtype: T.DataType) -> IcebergType:
    """The Iceberg type of an engine type; KeyError for one that contracts do not use."""
    if isinstance(dtype, T.DecimalType):
        return DecimalType(dtype.precision, dtype.scale)
    return _PLAIN[type(dtype)]


def iceberg_schema(contract: Contract) -> Schema:
    """All columns optional: ``add_files`` refuses nullable Parquet against required fields, the gate does it."""
    return Schema(
        *(
            NestedField(
                i, name, iceberg_type(column.dtype.type), required=False, doc=_doc(column.description, column.metadata)
            )
            for i, (name, column) in enumerate(contract.schema.columns.items(), 1)
        )
    )


def _doc(description: str, metadata: dict[str, str] | None) -> str:
    unit = (metadata or {}).get("unit")
    return f"{description} [{unit}]" if unit else description


def partition_spec(contract: Contract, schema: Schema) -> PartitionSpec:
    """``month(work_date)`` for daily tables, identity of the delivery for bronze, none for dimensions."""
    transform: Transform[Any, Any] = MonthTransform() if contract.layout == "month" else IdentityTransform()
    return PartitionSpec(
        *(
            PartitionField(
                source_id=schema.find_field(name).field_id,
                field_id=1000 + i,
                transform=transform,
                name=f"{name}_month" if contract.layout == "month" else name,
            )
            for i, name in enumerate(_PARTITION_COLUMNS.get(contract.layout, ()))
        )
    )


def properties(contract: Contract, schema: Schema) -> dict[str, str]:
    """Table properties at creation.

    The name mapping lets readers resolve columns of files without field ids (what Spark engines write). Commit
    retries are ours (:mod:`nh_pipeline.lake.publish`), because a blind retry could put older data over newer.
    """
    return {
        "format-version": "2",
        "comment": contract.schema.description,
        "commit.retry.num-retries": "0",
        "schema.name-mapping.default": schema.name_mapping.model_dump_json(),
        "write.metadata.delete-after-commit.enabled": "true",
        "write.metadata.previous-versions-max": "50",
        "write.parquet.compression-codec": "zstd",
    }
