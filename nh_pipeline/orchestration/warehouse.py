"""Copies of tables in the warehouse, as assets; where there is none (``NH_WAREHOUSE_URL``), there are none of these."""

from dataclasses import dataclass
from typing import Any

import dagster as dg

from nh_pipeline.domains import domain_of
from nh_pipeline.model.table import Table
from nh_pipeline.orchestration.assets import FOLLOW_RELEASES, OWNERS
from nh_pipeline.orchestration.events import table_metadata
from nh_pipeline.orchestration.parts import asset_key
from nh_pipeline.orchestration.resources import LakeResource, WarehouseResource
from nh_pipeline.settings import Settings

GROUP = "warehouse"


def copy_key(table: Table) -> dg.AssetKey:
    """The asset of a table's copy: ``warehouse/layer/table``."""
    return dg.AssetKey([GROUP, *table.name.split(".")])


@dataclass(frozen=True)
class Copies:
    """What Dagster loads of a warehouse."""

    assets: tuple[dg.AssetsDefinition, ...] = ()
    checks: tuple[dg.AssetChecksDefinition, ...] = ()
    jobs: tuple[Any, ...] = ()
    sensors: tuple[dg.SensorDefinition, ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> "Copies":
        """An asset and a check for each table of ``NH_WAREHOUSE_TABLES``; what loads all, and what follows the lake."""
        from nh_pipeline.warehouse.load import chosen  # noqa: PLC0415 (needs the extra `warehouse`)

        tables = chosen(settings.warehouse_tables)
        if not tables:
            return cls()
        copies = dg.AssetSelection.assets(*map(copy_key, tables))
        follows = dg.AutomationConditionSensorDefinition(
            "warehouse_follows",
            target=copies,
            default_status=dg.DefaultSensorStatus.RUNNING,
            description="Loads the copy of a table when the table was published anew.",
        )
        job = dg.define_asset_job(GROUP, copies, description="Loads all tables that the warehouse gets.")
        return cls(tuple(map(_asset, tables)), tuple(map(_check, tables)), (job,), (follows,))


def _asset(table: Table) -> dg.AssetsDefinition:
    @dg.asset(
        key=copy_key(table),
        deps=[asset_key(table)],
        description=f"{table.description} A copy of {table.name} in the warehouse.",
        metadata=table_metadata(table),
        automation_condition=FOLLOW_RELEASES,
        group_name=GROUP,
        owners=OWNERS,
        tags={"layer": GROUP, "domain": domain_of(table.database), **({"phi": "true"} if table.sensitive else {})},
        kinds={"sql"},
    )
    def _copy(lake: LakeResource, warehouse: WarehouseResource) -> dg.MaterializeResult[None]:
        from nh_pipeline.warehouse.load import load  # noqa: PLC0415 (needs the extra `warehouse`)

        copy = load(lake.lake, table, warehouse.address)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": copy.copied,
                "rows_in_lake": copy.rows,
                "snapshot_id": str(copy.snapshot_id),
                "changed": "all" if copy.changed else "nothing",
            }
        )

    return _copy


def _check(table: Table) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        name="as_in_lake",
        asset=copy_key(table),
        description="The warehouse holds the lake's current snapshot of the table, and as many rows.",
    )
    def _as_in_lake(lake: LakeResource, warehouse: WarehouseResource) -> dg.AssetCheckResult:
        from nh_pipeline.warehouse.load import compare  # noqa: PLC0415 (needs the extra `warehouse`)

        copy = compare(lake.lake, table, warehouse.address)
        rows = {"rows_in_lake": copy.rows, "rows_in_warehouse": copy.copied or 0}
        return dg.AssetCheckResult(
            passed=copy.is_equal,
            severity=dg.AssetCheckSeverity.WARN,
            description=copy.told,
            metadata={**rows, **({} if copy.is_equal else {"failed_rows": 1, "what_to_do": "nh warehouse load"})},
        )

    return _as_in_lake
