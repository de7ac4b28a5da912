"""Dagster resources: the lake, the engine, the source of deliveries. Configuration in, objects out; no logic."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import PrivateAttr

from nh_pipeline.compute.engine import spark_session
from nh_pipeline.compute.step import Run, Workspace
from nh_pipeline.lake.lake import Lake
from nh_pipeline.landing.zone import RawZone
from nh_pipeline.sources.opening import open_source

if TYPE_CHECKING:
    from nh_pipeline.settings import Settings
    from nh_pipeline.sources.protocol import Source


class LakeResource(dg.ConfigurableResource[Any]):
    """The lake: root folder and SQLAlchemy URL of its catalog, empty for the default."""

    root: str
    catalog_url: str = ""
    _lake: Lake | None = PrivateAttr(default=None)

    @classmethod
    def of(cls, settings: Settings) -> LakeResource:
        """The lake of the settings. The URL may hold a password: Dagster gets, and shows, its variable's name."""
        url = settings.catalog_url.get_secret_value() if settings.catalog_url else ""
        return cls(root=settings.home, catalog_url=_named("NH_CATALOG_URL", url))

    @property
    def lake(self) -> Lake:
        """The lake itself."""
        if self._lake is None:
            properties = {"type": "sql", "uri": self.catalog_url} if self.catalog_url else {}
            self._lake = Lake(self.root, properties)
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
        return Workspace(spark_session(self.engine), lake, Run(run_id=context.run.run_id, asset=asset))


class SourceResource(dg.ConfigurableResource[Any]):
    """The folder that deliveries come from: a path, or ``gdrive://<folder id>`` with the place of its credentials."""

    folder: str
    credentials: str = ""
    endpoint: str = ""

    @classmethod
    def of(cls, settings: Settings) -> SourceResource:
        """The source of the settings. Dagster gets, and shows, the name of the variable with the credentials' place."""
        where = settings.drive_credentials.get_secret_value() if settings.drive_credentials else ""
        return cls(
            folder=settings.source_folder,
            credentials=_named("NH_DRIVE_CREDENTIALS", where),
            endpoint=settings.drive_endpoint,
        )

    @property
    def source(self) -> Source:
        """The source itself; each time anew, with the credentials as they are now."""
        return open_source(self.folder, credentials=self.credentials, endpoint=self.endpoint)


def _named(variable: str, value: str) -> Any:
    """The variable's name where its value comes from it, else the value."""
    return dg.EnvVar(variable) if value and os.environ.get(variable) == value else value
