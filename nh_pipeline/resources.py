"""Dagster resources: the lake, the engine, the source of deliveries. Configuration in, objects out; no logic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import PrivateAttr

from nh_pipeline.compute.engine import spark_session
from nh_pipeline.compute.step import Run, Workspace
from nh_pipeline.lake.lake import Lake
from nh_pipeline.landing.zone import RawZone
from nh_pipeline.sources.folder import FolderSource

if TYPE_CHECKING:
    from nh_pipeline.settings import Settings
    from nh_pipeline.sources.protocol import Source


class LakeResource(dg.ConfigurableResource[Any]):
    """The lake: root folder and catalog (properties may hold a password and are never shown)."""

    root: str
    _catalog_properties: dict[str, str] = PrivateAttr(default_factory=dict)
    _lake: Lake | None = PrivateAttr(default=None)

    @classmethod
    def of(cls, settings: Settings) -> LakeResource:
        """The lake of the settings."""
        resource = cls(root=settings.home)
        resource._catalog_properties = settings.catalog_properties
        return resource

    @property
    def lake(self) -> Lake:
        """The lake itself."""
        if self._lake is None:
            self._lake = Lake(self.root, self._catalog_properties)
        return self._lake

    @property
    def zone(self) -> RawZone:
        """Its raw zone."""
        return RawZone(self.lake.storage)


class EngineResource(dg.ConfigurableResource[Any]):
    """The engine that steps run on; its session is made by dagster-pyspark on first use and shared by the run."""

    engine: str = "sail"

    def workspace(self, lake: Lake, context: dg.AssetExecutionContext) -> Workspace:
        """A workspace for the steps of one asset in this run."""
        asset = context.asset_key.to_user_string()
        return Workspace(spark_session(self.engine), lake, Run(run_id=context.run_id, asset=asset))


class SourceResource(dg.ConfigurableResource[Any]):
    """The folder that deliveries come from."""

    folder: str

    @property
    def source(self) -> Source:
        """The source itself."""
        return FolderSource(self.folder)
