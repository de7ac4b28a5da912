"""The AWS Glue Data Catalog as the lake's catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import CommitTableResponse, Table
from pyiceberg.table.update import AddSnapshotUpdate, TableRequirement, TableUpdate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyiceberg.catalog import Catalog


def glue_catalog(properties: Mapping[str, str]) -> Catalog:
    """Opens the catalog of the account and the region.

    Throttled and failed requests are sent again ten times, unless PyIceberg's properties say otherwise.
    """
    from pyiceberg.catalog.glue import GlueCatalog  # needs boto3, which only this catalog needs

    class Glue(GlueCatalog):
        def commit_table(
            self, table: Table, requirements: tuple[TableRequirement, ...], updates: tuple[TableUpdate, ...]
        ) -> CommitTableResponse:
            """Commits; looks twice before it says that another commit was faster.

            When the answer to a commit gets lost, AWS's client sends the commit again, and Glue refuses it: the table
            is no longer as it was, since the commit went through. PyIceberg would delete the manifests of the very
            snapshot that the table now has.
            """
            try:
                return super().commit_table(table, requirements, updates)
            except CommitFailedException:
                mine = [u.snapshot.snapshot_id for u in updates if isinstance(u, AddSnapshotUpdate)]
                now = self.load_table(table.name())
                if not mine or any(now.snapshot_by_id(snapshot) is None for snapshot in mine):
                    raise
                return CommitTableResponse(metadata=now.metadata, metadata_location=now.metadata_location)

    # Old versions of a Glue table are of no use: Iceberg has its own.
    return Glue("nh", **{"glue.skip-archive": "true", **properties})
