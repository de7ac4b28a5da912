"""A lake that was moved, copied or restored: the addresses in its tables are corrected to where it is now.

Iceberg's metadata hold absolute addresses on every level: catalog, metadata file, manifest lists, manifests. All are
written anew, under new names, beside the old ones; what they hold otherwise stays (ids, sequence numbers, what entries
inherit, entries of removed files). Only then, table by table, the catalog is pointed to them. Killed at any time, a
table is as before or as after, and doing it again does the rest. Old files stay.

Nothing is read outside of the new place, but for one look whether a lake in the old one still needs a shared catalog.
"""

from __future__ import annotations

import gzip
import json
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.io import FileIO, load_file_io

from nh_pipeline.errors import LakeError
from nh_pipeline.lake import avro
from nh_pipeline.lake.pointers import Identifier, databases, pointers, repoint, version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nh_pipeline.lake.lake import Lake


@dataclass(frozen=True)
class Relocated:
    """A table whose addresses were corrected: its name, where it was, how many snapshots and data files it has."""

    table: str
    was: str
    snapshots: int
    files: int


@dataclass
class _Places:
    """Warehouses, by their addresses: the lake's own, and where its tables say that it was (once or more often)."""

    new: str
    old: set[str] = field(default_factory=set)

    def learn(self, address: str, folder: str) -> None:
        """Notes the warehouse of an address of the table that is in this folder of it."""
        root, found, _ = address.rpartition(f"/warehouse/{folder}/")
        if found and f"{root}/warehouse" != self.new:
            self.old.add(f"{root}/warehouse")

    def known(self, address: str) -> bool:
        """Whether an address is in one of them."""
        return any(address.startswith(f"{place}/") for place in (self.new, *self.old))

    def here(self, address: str) -> str:
        """What an address should be; LakeError if it is in none of them."""
        for place in (self.new, *sorted(self.old, key=len, reverse=True)):
            if address.startswith(f"{place}/"):
                return self.new + address.removeprefix(place)
        raise LakeError(
            f"nothing was relocated: {address} is named, which is neither in {self.new} nor where the lake was "
            f"({', '.join(sorted(self.old)) or 'nowhere else'}); whatever added it to the table has to replace it"
        )


@dataclass(frozen=True)
class _Site:
    """What relocating works with: the lake, its files by address with their sizes, and the places."""

    lake: Lake
    io: FileIO
    present: Mapping[str, int]
    places: _Places

    def folder(self, identifier: Identifier) -> str:
        """Where a table of this product is, below the warehouse."""
        return f"{identifier[0].removeprefix(_prefix(self.lake))}/{identifier[1]}"

    def require(self, wanted: Mapping[str, int | None], name: str) -> None:
        """LakeError if files are not here, or not with their size where that is known."""
        here = {self.places.here(address): size for address, size in wanted.items()}
        missing = [a for a, size in here.items() if a not in self.present or size not in (None, self.present[a])]
        if missing:
            raise LakeError(
                f"nothing was relocated: {len(missing)} of {len(here)} files of {name} are missing here, or have "
                f"another size: {missing[0]}{' and others' * (len(missing) > 1)}. Copy or restore the lake again, all "
                "of it, while nothing writes to it"
            )


@dataclass
class _Table:
    """A table's metadata, with the addresses that are found in them.

    Attributes:
        pointer: address of the metadata file.
        lists: the manifests of each manifest list.
        files: size in bytes of the data files of all snapshots.
    """

    identifier: Identifier
    pointer: str
    metadata: dict[str, Any]
    lists: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, int | None] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """For people."""
        return ".".join(self.identifier)

    @property
    def manifests(self) -> set[str]:
        """Of all snapshots."""
        return {manifest for listed in self.lists.values() for manifest in listed}

    def is_in(self, warehouse: str) -> bool:
        """Whether all of it is there already."""
        named = (self.pointer, self.metadata["location"], *self.lists, *self.manifests, *self.files)
        return all(address.startswith(f"{warehouse}/") for address in named)


def relocate(lake: Lake) -> list[Relocated]:
    """Corrects the addresses of all tables that are, or were, in the lake's warehouse; leaves others alone.

    Returns:
        What was corrected; nothing if the lake is where its catalog says.

    Raises:
        LakeError: nothing was touched, as files are missing here, or the catalog belongs to a lake in the old place.
            Or another process changed a table meanwhile; it is as that one left it.
    """
    if lake.storage.local and "uri" not in lake.catalog_properties and not lake.storage.exists("catalog.db"):
        raise LakeError(
            f"there is no lake in {lake.root}: expected catalog.db there; compare NH_HOME and NH_CATALOG_URL"
        )
    rows = dict(pointers(lake.catalog, databases(lake.catalog, _prefix(lake))))
    home = lake.warehouse.removesuffix("warehouse")
    present = {home + path: size for path, (_, size) in lake.storage.stamps("warehouse").items()}
    io = load_file_io(dict(lake.catalog.properties), lake.warehouse)
    site = _Site(lake, io, present, _Places(lake.warehouse))
    for identifier, pointer in rows.items():
        site.places.learn(pointer, site.folder(identifier))
    found = [_surveyed(site, i, p) for i, p in rows.items() if site.places.known(p)]
    moved = [table for table in found if not table.is_in(lake.warehouse)]
    for table in moved:
        site.require(table.files, table.name)
    if moved and not _own_catalog(lake):
        for table in moved:
            _require_no_original(lake, table)
    return [_relocated(site, table) for table in moved]


def _prefix(lake: Lake) -> str:
    return lake.catalog_properties.get("database-prefix", "")


def _surveyed(site: _Site, identifier: Identifier, pointer: str) -> _Table:
    """Reads all metadata of a table, where they are now."""
    name, here = ".".join(identifier), site.places.here
    site.require({pointer: None}, name)
    content = site.lake.storage.read(site.lake.relative(here(pointer)))
    table = _Table(identifier, pointer, json.loads(gzip.decompress(content) if _packed(pointer) else content))
    lists = [s["manifest-list"] for s in table.metadata.get("snapshots", [])]
    for address in (f"{table.metadata['location']}/", *lists):
        site.places.learn(address, site.folder(identifier))
    site.require(dict.fromkeys(lists), name)
    lengths: dict[str, int | None] = {}
    for address in lists:
        rows = list(avro.records(site.io, here(address)))
        if any(row.get(avro.CONTENT) for row in rows):
            raise LakeError(
                f"nothing was relocated: {name} has delete files, written by another tool, which hold addresses of "
                "data files too; rewrite the table's data files (copy-on-write) where the lake was"
            )
        table.lists[address] = [row[avro.MANIFEST] for row in rows]
        lengths |= {row[avro.MANIFEST]: row[avro.LENGTH] for row in rows}
    site.require(lengths, name)
    for address in lengths:
        for row in avro.records(site.io, here(address)):
            if row[avro.STATUS] != avro.REMOVED:
                file = row.within(avro.DATA_FILE)
                table.files[file[avro.PATH]] = file[avro.SIZE]
    return table


def _own_catalog(lake: Lake) -> bool:
    """Whether the catalog is a file of this lake.

    Raises:
        LakeError: that file is another lake's too.
    """
    url = lake.catalog.engine.url if isinstance(lake.catalog, SqlCatalog) else None
    if url is None or url.get_backend_name() != "sqlite" or not url.database or not lake.storage.local:
        return False
    file = Path(url.database).resolve()
    if not file.is_relative_to(lake.storage.base):
        return False
    if file.stat().st_nlink > 1:
        raise LakeError(
            f"nothing was relocated: {file} has other names (hard links), in a backup or in another lake, whose "
            "catalog would change too; make it a file of its own: copy it, and rename the copy to it"
        )
    return True


def _require_no_original(lake: Lake, table: _Table) -> None:
    """A catalog outside of the lake belongs to the lake in the old place, for as long as that is there."""
    location = table.metadata["location"]
    try:
        there = load_file_io(dict(lake.catalog.properties), table.pointer).new_input(table.pointer).exists()
    except OSError as error:
        raise LakeError(
            f"nothing was relocated: the catalog is not in {lake.root}, and whether it is another lake's cannot be "
            f"told, as {table.pointer} cannot be looked at: {error}"
        ) from error
    if there and not table.pointer.startswith(f"{lake.warehouse}/") and not _same_folder(location, lake):
        raise LakeError(
            f"nothing was relocated: the catalog is not in {lake.root}, and {table.name} is still in {location}: it is "
            "the catalog of the lake there. Give this copy a catalog of its own (another NH_CATALOG_URL, with a copy "
            "of the tables of that catalog), or, if the copy is to replace that lake, move that one away"
        )


def _same_folder(location: str, lake: Lake) -> bool:
    """Whether the old place is the new one by another name (a link, a second mount)."""
    old, new = Path(location.removeprefix("file://")), Path(lake.storage.base, "warehouse", *Path(location).parts[-2:])
    return lake.storage.local and old.exists() and new.exists() and old.samefile(new)


def _relocated(site: _Site, table: _Table) -> Relocated:
    """Writes a table's metadata anew, then points the catalog to them."""
    here, known = site.places.here, site.places.known
    location = here(table.metadata["location"])
    manifests: dict[str, tuple[str, int]] = {}
    lists: dict[str, str] = {}

    def correct_entry(row: avro.Row) -> None:
        file = row.within(avro.DATA_FILE)
        if known(file[avro.PATH]):  # all but, perhaps, removed files of long ago
            file[avro.PATH] = here(file[avro.PATH])

    def correct_manifest(row: avro.Row) -> None:
        row[avro.MANIFEST], row[avro.LENGTH] = manifests[row[avro.MANIFEST]]

    for address in sorted(table.manifests):
        to = f"{location}/metadata/{uuid.uuid4()}-m0.avro"
        manifests[address] = to, avro.copy(site.io, here(address), to, correct_entry)
    for snapshot in table.metadata.get("snapshots", []):
        address = snapshot["manifest-list"]
        lists[address] = to = f"{location}/metadata/snap-{snapshot['snapshot-id']}-0-{uuid.uuid4()}.avro"
        avro.copy(site.io, here(address), to, correct_manifest)
    number = version(table.pointer)
    suffix = ".gz.metadata.json" if _packed(table.pointer) else ".metadata.json"
    to = f"{location}/metadata/{0 if number is None else number + 1:05d}-{uuid.uuid4()}{suffix}"
    content = json.dumps(_corrected(site, table, lists)).encode()
    site.lake.storage.write(site.lake.relative(to), gzip.compress(content) if _packed(to) else content)
    before = here(table.pointer)
    try:
        repoint(site.lake.catalog, table.identifier, now=table.pointer, to=to, before=before, location=location)
    except CommitFailedException as error:
        raise LakeError(
            f"{table.name} was changed while it was relocated, and is as that change left it: run nh relocate again"
        ) from error
    return Relocated(table.name, table.metadata["location"], len(lists), len(table.files))


def _corrected(site: _Site, table: _Table, lists: Mapping[str, str]) -> dict[str, Any]:
    """A metadata file's content with addresses of here."""
    metadata, here, known = table.metadata, site.places.here, site.places.known
    # PyIceberg deletes what drops out of the log: an address of the old place would have it delete files there.
    last = {"metadata-file": table.pointer, "timestamp-ms": metadata["last-updated-ms"]}
    log = [*metadata.get("metadata-log", []), last]
    log = [entry | {"metadata-file": here(entry["metadata-file"])} for entry in log if known(entry["metadata-file"])]
    found = {
        **metadata,
        "location": here(metadata["location"]),
        "snapshots": [s | {"manifest-list": lists[s["manifest-list"]]} for s in metadata.get("snapshots", [])],
        "metadata-log": [entry for entry in log if entry["metadata-file"] in site.present],
        "properties": {k: here(v) if known(v) else v for k, v in metadata.get("properties", {}).items()},
    }
    for kind in {"statistics", "partition-statistics"} & metadata.keys():
        found[kind] = [s | {"statistics-path": here(s["statistics-path"])} for s in metadata[kind]]
    return found


def _packed(metadata: str) -> bool:
    return metadata.endswith(".gz.metadata.json")
