"""The lake: where its tables are, and what of them is current.

Reading is by :class:`~nh_pipeline.lake.snapshots.TableSnapshot` (an explicit list of Parquet files of one snapshot),
writing by :mod:`nh_pipeline.lake.publish`. No engine and no Dagster here.
"""

from __future__ import annotations

from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.catalog.sql import IcebergTables
from pyiceberg.exceptions import NamespaceAlreadyExistsError, NoSuchTableError, TableAlreadyExistsError
from pyiceberg.io import load_file_io
from pyiceberg.table import Table
from pyiceberg.table.update import AssertRefSnapshotId, AssertTableUUID, TableRequirement
from sqlalchemy import NullPool, create_engine, inspect
from sqlalchemy.exc import DBAPIError, IntegrityError
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random

from nh_pipeline.errors import LakeError, LakeMovedError
from nh_pipeline.lake import avro, file_io
from nh_pipeline.lake.glue import glue_catalog
from nh_pipeline.lake.pointers import Identifier, pointer, pointers, tells_all
from nh_pipeline.lake.schema import iceberg_schema, partition_spec, properties
from nh_pipeline.lake.snapshots import TableSnapshot, snapshot_of
from nh_pipeline.lake.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    import pyarrow as pa

    from nh_pipeline.model.table import Table as Contract

avro.remember_readers()

_TABLES: dict[str, dict[Identifier, Table]] = {}
"""Of the last lakes, by their roots, the tables as they were loaded last. A metadata file never changes: it is read
again if another one is current."""

_MOST_LAKES = 2


# Several processes may open an empty lake at once. SQL catalogs look whether something is there and then create it:
# the slower one gets a database error, and finds it there when it looks again.
_lost_races_again = Retrying(
    retry=retry_if_exception(
        lambda e: isinstance(e, DBAPIError) and (isinstance(e, IntegrityError) or "exists" in str(e))
    ),
    stop=stop_after_attempt(4),
    wait=wait_random(0.05, 0.3),
    reraise=True,
)


@dataclass(frozen=True)
class Lake:
    """Iceberg tables below ``root`` (folder or ``s3://`` prefix), found through a catalog.

    Attributes:
        root: home of warehouse, raw zone and state.
        catalog_properties: PyIceberg catalog properties. Without ``uri`` the catalog is a SQLite file in ``root``, for
            whose lock others wait ``busy-timeout`` seconds (60); if ``root`` is on S3, it is the AWS Glue Data Catalog.
            ``database-prefix`` comes before the names of its databases.
        pinned_snapshots: ids of the snapshots that :meth:`snapshot` takes, by table, instead of the current ones: what
            another process saw.
        loaded: tables, by name, that are taken as they are here (:meth:`with_loaded`).
    """

    root: str
    catalog_properties: Mapping[str, str] = field(default_factory=dict, hash=False)
    pinned_snapshots: Mapping[str, int | None] = field(default_factory=dict, hash=False)
    loaded: Mapping[str, Table | None] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def storage(self) -> Storage:
        """Files outside of tables."""
        return Storage(self.root)

    @property
    def warehouse(self) -> str:
        """Address below which tables are stored."""
        root = self.storage.root
        return f"{root if '://' in root else 'file://' + root}/warehouse"

    def relative(self, address: str) -> str:
        """The path below ``root`` of a table's or a file's address.

        Raises:
            LakeMovedError: it is an address in another place.
        """
        home = self.warehouse.removesuffix("warehouse")
        if not address.startswith(home):
            old = address.rpartition("/warehouse/")[0] or address
            raise LakeMovedError(
                f"By its catalog this lake is at {old.removeprefix('file://')}, but it was opened at {self.root}: if "
                "it was moved, copied or restored to there, nh relocate corrects the addresses (an original that is "
                f"still there is not touched); else open it where it is (expected {home}…, found {address})"
            )
        return address.removeprefix(home)

    def open(self, address: str) -> pa.NativeFile:
        """A seekable stream of a data file."""
        return self.storage.open(self.relative(address))

    def readable(self, address: str) -> str:
        """A data file's address as DuckDB takes it."""
        return address.removeprefix("file://")

    @cached_property
    def catalog(self) -> Catalog:
        options = {"warehouse": self.warehouse, **self.catalog_properties}
        if not self.storage.local:
            options |= file_io.properties()
            if "uri" not in options:
                return glue_catalog(options)
        if "uri" not in options:
            self.storage.fs.create_dir(self.storage.base, recursive=True)
            # Two processes may commit at once; SQLite waits for its lock instead of failing.
            seconds = options.pop("busy-timeout", "60")
            options |= {"type": "sql", "uri": f"sqlite:///{self.storage.base}/catalog.db?timeout={seconds}"}
        return _lost_races_again(load_catalog, "nh", **options)

    @property
    def has_catalog(self) -> bool:
        """Whether there is a catalog, so that who only looks makes none: SQLite would, and PyIceberg its tables."""
        if "catalog" in vars(self) or (not self.storage.local and "uri" not in self.catalog_properties):
            return True
        address = self.catalog_properties.get("uri", f"sqlite:///{self.storage.base}/catalog.db")
        if address.startswith("sqlite:///") and not Path(address.removeprefix("sqlite:///").partition("?")[0]).exists():
            return False
        engine = create_engine(address, poolclass=NullPool)
        try:
            return inspect(engine).has_table(IcebergTables.__tablename__)
        finally:
            engine.dispose()

    def identifier(self, contract: Contract) -> tuple[str, str]:
        """Database and table of a contract in the catalog."""
        layer, _, name = contract.name.partition(".")
        return self.catalog_properties.get("database-prefix", "") + layer, name

    def table(self, contract: Contract) -> Table:
        """The table of a contract, created if need be; columns that the contract gained are added."""
        table = self.load(contract)
        if table is None:
            return self._create(contract)
        known = set(table.schema().column_names)
        gained = [f for f in iceberg_schema(contract).fields if f.name not in known]
        if gained:
            # In one commit: a column that the name mapping lacked would read as NULL, and nobody would add it later.
            with table.transaction() as transaction:
                with transaction.update_schema() as update:
                    for new in gained:
                        update.add_column(new.name, new.field_type, doc=new.doc)
                mapping = transaction.table_metadata.schema().name_mapping.model_dump_json()
                transaction.set_properties({"schema.name-mapping.default": mapping})
        return table

    def field_ids(self, contract: Contract) -> dict[str, int]:
        """Iceberg's id of each column of a table, as it is now or as :meth:`table` is going to make it."""
        table, columns = self.load(contract), iceberg_schema(contract).fields
        if table is None:
            return {f.name: f.field_id for f in columns}
        ids = {f.name: f.field_id for f in table.schema().fields}
        gained = (f.name for f in columns if f.name not in ids)
        return ids | {name: i for i, name in enumerate(gained, table.metadata.last_column_id + 1)}

    def _create(self, contract: Contract) -> Table:
        identifier = self.identifier(contract)
        if not self.catalog.namespace_exists(identifier[0]):  # whoever may not make one need not, where it is there
            with suppress(NamespaceAlreadyExistsError):
                _lost_races_again(self.catalog.create_namespace, identifier[0])
        schema = iceberg_schema(contract)
        try:
            made = self.catalog.create_table(
                identifier,
                schema,
                location=self.warehouse.removesuffix("warehouse") + folder_of(contract),
                partition_spec=partition_spec(contract, schema),
                properties=properties(contract, schema),
            )
            return self.remember(made)
        except TableAlreadyExistsError:  # another process was faster
            table = self.load(contract)
            if table is None:
                raise
            return table

    def load(self, contract: Contract) -> Table | None:
        """The table of a contract as it is now; None if the catalog has none. All tables are loaded here.

        Raises:
            LakeMovedError: it is in another place than this lake.
            LakeError: its metadata file is missing.
        """
        if contract.name in self.loaded:
            return self.loaded[contract.name]
        identifier = self.identifier(contract)
        if not self.has_catalog:
            return None
        if self._last(identifier) and (known := self._known(identifier, pointer(self.catalog, identifier))):
            return known
        try:
            table = self.catalog.load_table(identifier)
        except NoSuchTableError:
            return None
        except OSError as error:
            address = pointer(self.catalog, identifier)
            if address is None:
                raise
            missing = self.relative(address)  # in another place, whatever the error is, this is the reason for it
            if not isinstance(error, FileNotFoundError):
                raise
            raise LakeError(
                f"{contract.name}: by its catalog its metadata are in {self.storage.uri(missing)}, but that file is "
                "missing: restore it from a backup, or the catalog and warehouse/ together, as they were at one time"
            ) from error
        for address in (table.metadata_location, table.location()):
            self.relative(address)
        return self.remember(table)

    def remember(self, table: Table) -> Table:
        """Keeps a table as it was just loaded or committed: its metadata need not be read as long as they hold."""
        _TABLES.setdefault(self.storage.root, {})[cast("Identifier", table.name())] = table
        while len(_TABLES) > _MOST_LAKES:
            _TABLES.pop(next(iter(_TABLES)), None)
        return table

    def load_all(self, contracts: Collection[Contract]) -> dict[str, Table | None]:
        """The tables of contracts, by name, as they are now: the catalog is asked once, if it tells of all at once."""
        if not self.has_catalog or not tells_all(self.catalog):
            return {contract.name: self.load(contract) for contract in contracts}
        now = dict(pointers(self.catalog, {self.identifier(c)[0] for c in contracts}))
        found = {}
        for contract in contracts:
            identifier = self.identifier(contract)
            known = self._known(identifier, now.get(identifier))
            found[contract.name] = known or (self.load(contract) if identifier in now else None)
        return found

    def _last(self, identifier: Identifier) -> Table | None:
        """A table as it was loaded last."""
        return _TABLES.get(self.storage.root, {}).get(identifier)

    def _known(self, identifier: Identifier, address: str | None) -> Table | None:
        """A table as it was loaded last, if its metadata are still those at this address."""
        known = self._last(identifier)
        if known is None or known.metadata_location != address or not self.storage.exists(self.relative(address)):
            return None
        io = load_file_io({**self.catalog.properties, **known.metadata.properties}, address)
        return Table(identifier, known.metadata, address, io, self.catalog)

    def with_loaded(self, tables: Mapping[str, Table | None]) -> Lake:
        """The same lake, with these tables as they were loaded: all that is asked of it is about one moment."""
        same = copy(self)
        object.__setattr__(same, "loaded", tables)
        return same

    @cached_property
    def current(self) -> Lake:
        """The same lake as it is now, with no snapshot pinned."""
        return replace(self, pinned_snapshots={}) if self.pinned_snapshots else self

    def snapshot_ids(self, contracts: Iterable[Contract]) -> dict[str, int | None]:
        """Id of the current snapshot per table, for ``pinned_snapshots``; None where there is no snapshot yet."""
        found = ((c.name, self.load(c)) for c in contracts)
        return {name: table.metadata.current_snapshot_id if table else None for name, table in found}

    def snapshot(self, contract: Contract, partitions: Collection[str] | None = None) -> TableSnapshot:
        """The current snapshot of a table, or the pinned one, whole or some of its partitions; empty if there is none.

        Raises:
            LakeError: ``pinned_snapshots`` names a snapshot that the table does not have.
        """
        table = self.load(contract)
        wanted = self.pinned_snapshots.get(contract.name, table.metadata.current_snapshot_id if table else None)
        if wanted is None:
            snapshot = TableSnapshot(table=contract.name, snapshot_id=None)
        elif table is None or table.snapshot_by_id(wanted) is None:
            raise LakeError(
                f"{contract.name} has no snapshot {wanted} in {self.root}: who asks for it looks at another lake or "
                "another catalog. Compare NH_HOME, the account, the region and the prefix of the databases"
            )
        else:
            snapshot = self._snapshot(table, contract, wanted)
        return snapshot if partitions is None else snapshot.only(partitions)

    def snapshots(self, contracts: Sequence[Contract]) -> list[TableSnapshot]:
        """The same of several tables, whole: the catalog is asked once."""
        unknown = [contract for contract in contracts if contract.name not in self.loaded]
        same = self.with_loaded({**self.loaded, **self.load_all(unknown)}) if unknown else self
        return [same.snapshot(contract) for contract in contracts]

    def snapshot_at(self, contract: Contract, snapshot_id: int) -> TableSnapshot | None:
        """An older snapshot of a table; None if it has expired."""
        table = self.load(contract)
        if table is None or table.snapshot_by_id(snapshot_id) is None:
            return None
        return self._snapshot(table, contract, snapshot_id)

    def _snapshot(self, table: Table, contract: Contract, snapshot_id: int) -> TableSnapshot:
        snapshot = snapshot_of(table, contract, snapshot_id)
        for path in snapshot.paths:
            self.relative(path)
        return snapshot


def unchanged(table: Table) -> tuple[TableRequirement, ...]:
    """The condition of a commit that a table still has the snapshot that it was loaded with."""
    snapshot = AssertRefSnapshotId(ref="main", **{"snapshot-id": table.metadata.current_snapshot_id})
    return AssertTableUUID(uuid=table.metadata.table_uuid), snapshot


def folder_of(contract: Contract) -> str:
    """Where a table is, below the lake's root."""
    return f"warehouse/{contract.name.replace('.', '/')}"
