"""Iceberg's entries for data files: their partition, and counts and bounds of their columns, by their Parquet footers.

PyIceberg's own function compares each file with the table's schema, and works out anew what to read of it: most of the
time of a commit. Files of one commit have one schema, so here that is done once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.parquet as pq
from pyiceberg.io.pyarrow import (
    _check_pyarrow_schema_compatible,
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
)
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow as pa
    from pyiceberg.table import Table


def entries(table: Table, paths: Iterable[str]) -> Iterator[DataFile]:
    """The entries of Parquet files of a table.

    Raises:
        ValueError: a file has other columns or types than the table, or rows of several partitions.
    """
    metadata, schema = table.metadata, table.schema()
    columns, ids = compute_statistics_plan(schema, metadata.properties), parquet_path_to_id_mapping(schema)
    compared: pa.Schema | None = None
    for path in paths:
        file = table.io.new_input(path)
        with file.open() as stream:
            footer = pq.read_metadata(stream)
        written = footer.schema.to_arrow_schema()
        if compared is None or not written.equals(compared, check_metadata=True):
            _check_pyarrow_schema_compatible(schema, written, format_version=metadata.format_version)
            compared = written
        statistics = data_file_statistics_from_parquet_metadata(footer, columns, ids)
        yield DataFile.from_args(
            content=DataFileContent.DATA,
            file_path=path,
            file_format=FileFormat.PARQUET,
            partition=statistics.partition(table.spec(), schema),
            file_size_in_bytes=len(file),
            sort_order_id=None,
            spec_id=metadata.default_spec_id,
            equality_ids=None,
            key_metadata=None,
            **statistics.to_serialized_dict(),
        )
