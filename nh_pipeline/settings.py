"""Settings, from the environment (``NH_…``): the one place where local and deployed installations differ."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

if TYPE_CHECKING:
    from typing_extensions import Self


class Settings(BaseSettings):
    """Where the lake is and what computes.

    AWS's credentials, region and addresses are none of these: they come from AWS's own configuration.

    Attributes:
        home: root of the lake: a folder, or ``s3://bucket/prefix``.
        engine: ``sail`` (embedded), ``jvm`` (local Spark), a Spark Connect address ``sc://host:port``, or ``glue``
            (jobs of AWS Glue).
        glue_job: name of the job that ``nh aws deploy`` made.
        glue_timeout: minutes after which AWS ends a run of it.
        catalog_url: SQLAlchemy URL of the Iceberg catalog; default is a SQLite file in ``home``, or, if that is on S3,
            the AWS Glue Data Catalog. Secret, since it may carry a password.
        database_prefix: what the names of the catalog's databases begin with, for several environments in one catalog:
            with ``dev_`` they are ``dev_bronze``, ``dev_silver`` and ``dev_gold``.
        source: where deliveries come from: a folder (default ``drop`` in :attr:`folder`), or ``gdrive://<folder id>``.
        drive_credentials: for Google Drive: path of a JSON key file, ARN of a secret in AWS Secrets Manager, or
            ``secretsmanager://<name>``.
        drive_endpoint: address of the Drive API, if it is not Google's.
        athena_workgroup: of Athena, which then answers what programs ask (:mod:`nh_pipeline.queries.open`); without it,
            DuckDB does, on the files of the lake.
        dagster_home: folder of the persistent Dagster instance; default ``dagster`` in :attr:`folder`.
    """

    model_config = SettingsConfigDict(env_prefix="NH_", frozen=True)

    home: str = ".nh"
    engine: str = "sail"
    glue_job: str = "nh-pipeline"
    glue_timeout: int = Field(default=60, ge=1, le=10080)
    catalog_url: SecretStr | None = None
    database_prefix: str = ""
    source: str | None = None
    drive_credentials: SecretStr | None = None
    drive_endpoint: str = ""
    athena_workgroup: str = ""
    dagster_home: Path = Field(
        default_factory=lambda known: _folder(known.get("home", "")) / "dagster", validate_default=True
    )

    @field_validator("dagster_home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.resolve()

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.on_s3 and not re.fullmatch(r"s3://[a-z0-9.-]{3,63}(/.*)?", self.home):
            raise ValueError(f"NH_HOME is {self.home}: expected a folder, or s3://bucket/prefix")
        if not re.fullmatch(r"([a-z][a-z0-9_]{0,60})?", self.database_prefix):
            raise ValueError(
                f"NH_DATABASE_PREFIX is {self.database_prefix}: expected lower-case letters, digits and underscores, a "
                "letter first"
            )
        url = self.catalog_url.get_secret_value() if self.catalog_url else ""
        if self.on_s3 and url.startswith("sqlite"):
            raise ValueError(
                f"NH_HOME is {self.home}, but NH_CATALOG_URL is a SQLite file of this machine, which nobody else who "
                "uses the lake would see: leave it out (then it is the AWS Glue Data Catalog), or name a Postgres one"
            )
        if self.engine == "glue" and not self.on_s3:
            raise ValueError(
                f"NH_ENGINE is glue, but NH_HOME is {self.home}, a folder of this machine, which jobs of AWS Glue "
                "cannot reach: expected NH_HOME=s3://bucket/prefix"
            )
        return self

    @property
    def on_s3(self) -> bool:
        """Whether the lake is on S3."""
        return "://" in self.home

    @property
    def folder(self) -> Path:
        """Where this machine keeps what is not the lake: ``home``, or ``.nh`` if that is not a folder."""
        return _folder(self.home)

    @property
    def source_folder(self) -> str:
        """The folder that the drive sensor watches: a path, or the address of a Google Drive folder."""
        return self.source or str(self.folder / "drop")

    @property
    def catalog_properties(self) -> dict[str, str]:
        """What the lake is told about its catalog."""
        url = self.catalog_url.get_secret_value() if self.catalog_url else ""
        return catalog_properties(url, self.database_prefix)


def catalog_properties(url: str, database_prefix: str) -> dict[str, str]:
    """What the lake is told about its catalog; empty for the default of its home."""
    named = {"type": "sql", "uri": url} if url else {}
    return {**named, **({"database-prefix": database_prefix} if database_prefix else {})}


def _folder(home: str) -> Path:
    return Path(".nh") if "://" in home else Path(home)
