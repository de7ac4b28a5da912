"""A table as another reader sees it: ``python outside_reader.py READER METADATA_FILE TABLE_FOLDER``.

Runs in an environment of its own (``requirements-readers.lock``), as these readers want other versions than the
project has. Prints the rows as JSON, in which dates and exact numbers are text.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def duckdb(metadata: str, folder: str) -> list[dict[str, Any]]:
    import duckdb as library
    import duckdb_ext

    # Wheels hold the extensions, as DuckDB would have downloaded them.
    extensions = f"{next(iter(duckdb_ext.__path__))}/extensions"
    config = {"extension_directory": extensions, "autoinstall_known_extensions": "false"}
    with library.connect(config=config) as db:
        return db.execute("select * from iceberg_scan(?)", [metadata]).fetch_arrow_table().to_pylist()


def daft(metadata: str, folder: str) -> list[dict[str, Any]]:
    import daft as library

    return library.read_iceberg(metadata).to_pylist()


def chdb(metadata: str, folder: str) -> list[dict[str, Any]]:
    import chdb as library

    return library.query(f"select * from icebergLocal('{folder}')", "ArrowTable").to_pylist()


if __name__ == "__main__":
    reader, *where = sys.argv[1:]
    rows = {"duckdb": duckdb, "daft": daft, "chdb": chdb}[reader](*where)
    print(json.dumps(rows, default=str))  # noqa: T201 (what the test compares)
