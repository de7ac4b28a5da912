"""Settings, from the environment (``NH_…``): the one place where local and deployed installations differ."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where the lake is and what computes.

    Attributes:
        home: root of the lake: a folder.
        engine: ``sail`` (embedded), ``jvm`` (local Spark) or a Spark Connect address ``sc://host:port``.
        catalog_url: SQLAlchemy URL of the Iceberg catalog; default is a SQLite file in ``home``. Secret, since it
            may carry a password.
        source: where deliveries come from: a folder (default ``<home>/drop``), or ``gdrive://<folder id>``.
        drive_credentials: for Google Drive: path of a JSON key file, ARN of a secret in AWS Secrets Manager, or
            ``secretsmanager://<name>``.
        drive_endpoint: address of the Drive API, if it is not Google's.
    """

    model_config = SettingsConfigDict(env_prefix="NH_", frozen=True)

    home: str = ".nh"
    engine: str = "sail"
    catalog_url: SecretStr | None = None
    source: str | None = None
    drive_credentials: SecretStr | None = None
    drive_endpoint: str = ""

    @property
    def source_folder(self) -> str:
        """The folder that the drive sensor watches: a path, or the address of a Google Drive folder."""
        return self.source or str(Path(self.home) / "drop")

    @property
    def catalog_properties(self) -> dict[str, str]:
        """PyIceberg catalog properties; empty for the default."""
        if self.catalog_url is None:
            return {}
        return {"type": "sql", "uri": self.catalog_url.get_secret_value()}

    @property
    def dagster_home(self) -> Path:
        """Where the persistent Dagster instance lives."""
        return (Path(self.home) / "dagster").resolve()
