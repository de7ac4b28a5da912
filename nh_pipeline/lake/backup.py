"""A copy of a lake that is in use, as it could be restored from: a lake of its own, with a catalog of its own.

Nothing is locked. What a table names at one moment is copied, and for a day nothing of it is deleted
(:mod:`nh_pipeline.lake.maintain`). What is copied later knows all that was copied before, as the order is: marts, what
they are made of, state, and last what has landed. So the copy is at worst behind: its next run builds what is missing.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pyiceberg.catalog.sql import IcebergTables, SqlCatalog
from sqlalchemy import NullPool, create_engine
from sqlalchemy.orm import Session

from nh_pipeline.errors import LakeError
from nh_pipeline.lake.lake import Lake, folder_of
from nh_pipeline.lake.pointers import Identifier
from nh_pipeline.lake.verify import looked
from nh_pipeline.sources.protocol import CHUNK_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from nh_pipeline.lake.storage import Storage
    from nh_pipeline.model.table import Table as Contract

_CATALOG = "catalog.db"
_ATTEMPTS = 5
"""How often a table is copied anew whose oldest metadata files go meanwhile."""


@dataclass
class Copied:
    """What a backup came to: files that it has, and of them those that were copied now, with their bytes."""

    files: int = 0
    copied: int = 0
    size: int = 0


def backup(
    lake: Lake, contracts: Iterable[Contract], to: Storage, *, seen: Callable[[str], object] = lambda _: None
) -> Copied:
    """Copies a lake; what an earlier backup has copied to the same place already is not copied again.

    Args:
        lake: the lake, where its catalog says that it is.
        contracts: its tables, in the order in which they are built.
        to: where to.
        seen: is told what is copied.

    Raises:
        LakeError: files of a table are missing or damaged: nothing of it is copied, and an earlier backup is as it was.
    """
    done, pointers = Copied(), dict[Identifier, str]()
    for contract in reversed(list(contracts)):
        seen(contract.name)
        if address := _copy_table(lake, contract, to, done):
            pointers[lake.identifier(contract)] = address
    for folder in ("state", "quarantine", "raw"):
        seen(folder)
        files = {path: size for path, (_, size) in lake.storage.stamps(folder).items() if _is_whole(path)}
        for path in _copy(lake.storage, to, folder, files, done):  # forgotten, or admitted from the quarantine
            seen(f"{path} is gone")
    _write_catalog(to, pointers)
    return done


def _copy_table(lake: Lake, contract: Contract, to: Storage, done: Copied) -> str | None:
    """Copies what a table names at one moment, and returns the address of its metadata file then."""
    for _ in range(_ATTEMPTS):
        look, table, _ = looked(lake, contract, quick=True)
        if look.faults:
            found = look.faults[0]
            raise LakeError(
                f"no backup was made: {contract.name}: expected {found.expected} in {found.file}, found {found.found}. "
                "nh verify names all that is wrong, and what to do"
            )
        if table is None:
            return None
        files = {path: look.present[path] for path in look.named & look.present.keys()}
        if not list(_copy(lake.storage, to, folder_of(contract), files, done)):
            return table.metadata_location
    raise LakeError(f"no backup was made: files of {contract.name} went while they were copied; do it again")


def _is_whole(path: str) -> bool:
    return not path.startswith("raw/.incoming/") and not path.endswith(".partial")


def _never_changes(path: str) -> bool:
    return not path.endswith(".json") or path.endswith(".metadata.json")


def _copy(source: Storage, to: Storage, folder: str, files: Mapping[str, int], done: Copied) -> Iterator[str]:
    """Copies files of a folder, a delivery before its document; yields those that are no longer there."""
    there = {path: size for path, (_, size) in to.stamps(folder).items()}
    for path in sorted(files, key=lambda path: ("/data/" in path, path)):  # metadata do not stay for long
        done.files += 1
        if there.get(path) == files[path] and _never_changes(path):
            continue
        try:
            if _never_changes(path):
                with source.open(path) as stream, to.create(path) as out:
                    while chunk := stream.read(CHUNK_BYTES):
                        out.write(chunk)
            else:
                to.write(path, source.read(path))
        except FileNotFoundError:
            yield path
            continue
        done.copied += 1
        done.size += files[path]


def _write_catalog(to: Storage, pointers: Mapping[Identifier, str]) -> None:
    """A catalog in SQLite, last: an interrupted backup has the one from before, or none."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, _CATALOG)
        catalog = SqlCatalog("nh", uri=f"sqlite:///{file}", warehouse="")
        catalog.close()
        engine = create_engine(f"sqlite:///{file}", poolclass=NullPool)
        with Session(engine) as session:
            for (database, name), address in pointers.items():
                about = {"table_namespace": database, "table_name": name, "metadata_location": address}
                session.add(IcebergTables(catalog_name="nh", previous_metadata_location=None, **about))
            session.commit()
        engine.dispose()
        to.write(_CATALOG, file.read_bytes())
