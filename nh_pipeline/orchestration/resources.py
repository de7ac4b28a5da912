"""Dagster resources: the lake, the engine, the source of deliveries. Configuration in, objects out; no logic."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import PrivateAttr

from nh_pipeline.engines import stopping
from nh_pipeline.engines.spark import spark_session
from nh_pipeline.lake.lake import Lake
from nh_pipeline.lake.s3 import SCHEME
from nh_pipeline.landing.zone import RawZone
from nh_pipeline.pipeline.context import BuildContext, RunInfo
from nh_pipeline.pipeline.quality import BuildQuality
from nh_pipeline.settings import Settings, catalog_properties
from nh_pipeline.sources.opening import open_source
from nh_pipeline.warehouse.address import Address

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nh_pipeline.pipeline.remote_request import Build
    from nh_pipeline.pipeline.result import BuildResult
    from nh_pipeline.sources.protocol import Source


class LakeResource(dg.ConfigurableResource[Any]):
    """The lake: its root, SQLAlchemy URL of its catalog (empty for the default), and prefix of the databases in it."""

    root: str
    catalog_url: str = ""
    database_prefix: str = ""
    _lake: Lake | None = PrivateAttr(default=None)

    @classmethod
    def of(cls, settings: Settings) -> LakeResource:
        """The lake of the settings. The URL may hold a password: Dagster gets, and shows, its variable's name."""
        url = settings.catalog_url.get_secret_value() if settings.catalog_url else ""
        return cls(
            root=settings.home,
            catalog_url=_named("NH_CATALOG_URL", url),
            database_prefix=settings.database_prefix,
        )

    @property
    def lake(self) -> Lake:
        if self._lake is None:
            self._lake = Lake(self.root, catalog_properties(self.catalog_url, self.database_prefix))
        return self._lake

    @property
    def zone(self) -> RawZone:
        return RawZone(self.lake.storage)


class EngineResource(dg.ConfigurableResource[Any]):
    """Where builds run: in this process, on a session that dagster-pyspark makes once per run, or as AWS Glue jobs."""

    engine: str = "sail"
    glue_job: str = ""
    glue_messages: str = ""
    glue_timeout: int = 60

    @classmethod
    def of(cls, settings: Settings) -> EngineResource:
        """The engine of the settings. A Glue job and Dagster speak through ``pipes/`` in the bucket of the lake."""
        bucket = settings.home.removeprefix(SCHEME).partition("/")[0] if settings.on_s3 else ""
        return cls(
            engine=settings.engine,
            glue_job=settings.glue_job,
            glue_messages=f"{SCHEME}{bucket}/pipes" if bucket else "",
            glue_timeout=settings.glue_timeout,
        )

    def run(self, builds: Sequence[Build], lake: Lake, context: dg.AssetExecutionContext) -> Iterator[BuildResult]:
        """Runs the builds of one asset, one after the other; none of them may read what another one writes."""
        keys = context.selected_asset_keys
        asset = next(iter(keys)).to_user_string() if len(keys) == 1 else context.op_execution_context.op.name
        run = RunInfo(run_id=context.run.run_id, asset=asset)
        small = builds and all(isinstance(build, BuildQuality) for build in builds)  # a job's start would take longer
        if self.engine != "glue" or small:
            chosen = "sail" if self.engine == "glue" else self.engine
            engine = BuildContext(spark_session(chosen, on_s3=not lake.storage.local), lake, run)
            for build in builds:
                if stopping.requested():
                    raise dg.Failure("it was not begun, as nh was asked to stop", allow_retries=False)
                yield build.run(engine)
        elif builds:
            from nh_pipeline.engines.glue import GlueJob  # noqa: PLC0415 (needs the extra `aws`)

            job = GlueJob(self.glue_job, self.glue_messages, self.glue_timeout)
            yield from job.run(builds, lake, run, context)


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


class WarehouseResource(dg.ConfigurableResource[Any]):
    """The warehouse that gets tables of the lake."""

    url: str

    @classmethod
    def of(cls, settings: Settings) -> WarehouseResource:
        """That of the settings. Dagster gets, and shows, the name of the variable with its address."""
        url = settings.warehouse_url.get_secret_value() if settings.warehouse_url else ""
        return cls(url=_named("NH_WAREHOUSE_URL", url))

    @property
    def address(self) -> Address:
        return Address.of(self.url)


def _named(variable: str, value: str) -> Any:
    """The variable's name where its value comes from it, else the value."""
    return dg.EnvVar(variable) if value and os.environ.get(variable) == value else value
