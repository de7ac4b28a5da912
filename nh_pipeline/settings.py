"""Settings, from the environment (``NH_…``): the one place where local and deployed installations differ."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from nh_pipeline.domains import PROTECTED, selected
from nh_pipeline.sources.time_zones import zones

if TYPE_CHECKING:
    from sqlalchemy import URL
    from typing_extensions import Self

_NO_FOLDER = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff#?%*\[{\\]")
"""What the name of a lake's folder may not hold: one of the libraries that get its address takes it for something else.

PyIceberg, SQLAlchemy and Spark read addresses (``#?%``), Spark, Sail and DuckDB patterns (``*?[{`` and the backslash).
"""

_OWN = ("raw", "quarantine", "warehouse", "state", "dagster")
"""Folders of a lake that hold no deliveries to be taken."""

ENGINES = "sail, jvm, glue or the address of a Spark Connect server, sc://host:port"

PROCESSES = "processes"
"""Folder in that of Dagster with the locks of processes that execute runs."""

_LONGEST_NAME = 255
"""Characters of a file's name."""

CONNECT_SECONDS = 10
"""How long the database of a catalog may take to answer."""


class Settings(BaseSettings):
    """Where the lake is and what computes.

    Checked once, when they are made, without changing what they name. A folder is absolute, ``~`` is the user's own; a
    variable that is set to nothing counts as not set. AWS's credentials, region and addresses are none of these: they
    come from AWS's own configuration.

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
        domains: which domains this process serves, with commas between them (:mod:`nh_pipeline.domains`); empty for
            all.
        local_time_zones: zones of record systems that write all times in UTC, by source; empty for none
            (:mod:`nh_pipeline.sources.time_zones`).
        source: where deliveries come from: a folder (default ``drop`` in :attr:`folder`), or ``gdrive://<folder id>``.
        drive_credentials: for Google Drive: path of a JSON key file, ARN of a secret in AWS Secrets Manager, or
            ``secretsmanager://<name>``.
        drive_endpoint: address of the Drive API, if it is not Google's.
        athena_workgroup: of Athena, which then answers what programs ask (:mod:`nh_pipeline.queries.open`); without it,
            DuckDB does, on the files of the lake.
        nppes_scope: which numbers of the NPI registry become rows of silver: ``nursing_homes`` (organisations that have
            ever had a taxonomy of nursing homes), or ``all`` of its 9 million.
        treatments_table: name of the DynamoDB table that treatments are extracted from; empty for none.
        treatments_region: its region, if it is not the one of AWS's own configuration.
        treatments_mode: how what has changed is read: ``scan`` (of the whole table), or ``query`` (of an index).
        treatments_index: that index: by ``metadata_modified_at``, with all attributes.
        treatments_shards: how many values the index's hash key has: 0, 1, …
        treatments_segments: in how many parts, at once, the table is scanned.
        treatments_overlap: minutes that are read again, for items that were written late.
        treatments_full_scan: items that a table may have for all of it to be scanned every night; 0 for never.
        warehouse_url: address of a warehouse that gets tables of the lake (:mod:`nh_pipeline.warehouse`). Secret, since
            it may carry a password.
        warehouse_tables: which tables it gets: names or patterns, with commas between them.
        alerts_webhook: address that gets alerts by POST (:mod:`nh_pipeline.alerts`); none for none. Secret, since
            whoever has it may post there.
        alerts_mail_to: who gets them by e-mail, several with commas between them; empty for nobody.
        alerts_mail_from: who sends them.
        alerts_smtp_host: the server that takes the e-mail.
        alerts_smtp_port: its port.
        alerts_smtp_user: who signs in there; empty for nobody.
        alerts_smtp_password: with which password.
        alerts_smtp_starttls: whether what is sent there is encrypted, and its certificate looked at.
        alerts_warnings: whether checks that only warn are told, too.
        ui_url: address of the Dagster UI, for links in alerts; empty for none.
        keep_snapshots: days for which snapshots of tables can be read at least.
        keep_runs: days after which what Dagster keeps of runs that show nothing current is deleted.
        dagster_home: folder of the persistent Dagster instance; default is Dagster's own ``DAGSTER_HOME``, if
            there is a ``dagster.yaml`` in it, and else ``dagster`` in :attr:`folder`.
    """

    model_config = SettingsConfigDict(
        env_prefix="NH_", frozen=True, env_ignore_empty=True, hide_input_in_errors=True, validate_default=True
    )

    home: str = ".nh"
    engine: str = "sail"
    glue_job: str = "nh-pipeline"
    glue_timeout: int = Field(default=60, ge=1, le=10080)
    catalog_url: SecretStr | None = None
    database_prefix: str = ""
    domains: str = ""
    local_time_zones: str = ""
    source: str | None = None
    drive_credentials: SecretStr | None = None
    drive_endpoint: str = ""
    athena_workgroup: str = ""
    nppes_scope: Literal["nursing_homes", "all"] = "nursing_homes"
    treatments_table: str = Field(default="", pattern=r"^([a-zA-Z0-9_.-]{3,255})?$")
    treatments_region: str = ""
    treatments_mode: Literal["scan", "query"] = "scan"
    treatments_index: str = ""
    treatments_shards: int = Field(default=1, ge=1, le=1000)
    treatments_segments: int = Field(default=4, ge=1, le=64)
    treatments_overlap: int = Field(default=10, ge=0, le=1440)
    treatments_full_scan: int = Field(default=1_000_000, ge=0)
    warehouse_url: SecretStr | None = None
    warehouse_tables: str = "treatments_gold.*"
    alerts_webhook: SecretStr | None = None
    alerts_mail_to: str = ""
    alerts_mail_from: str = ""
    alerts_smtp_host: str = ""
    alerts_smtp_port: int = Field(default=587, ge=1, le=65535)
    alerts_smtp_user: str = ""
    alerts_smtp_password: SecretStr | None = None
    alerts_smtp_starttls: bool = True
    alerts_warnings: bool = False
    ui_url: str = Field(default="", pattern=r"^(https?://[^\s@]+)?$")
    keep_snapshots: int = Field(default=30, ge=1)
    keep_runs: int = Field(default=90, ge=1)
    dagster_home: Path = Field(default_factory=lambda known: _instance(known.get("home", "")))

    @field_validator("home", "dagster_home", mode="before")
    @classmethod
    def _place(cls, value: str | Path, info: ValidationInfo) -> str:
        name, text = f"NH_{str(info.field_name).upper()}", str(value)
        return _unambiguous(name, text) if "://" in text else str(_directory(name, text))

    @field_validator("source")
    @classmethod
    def _inbox(cls, value: str | None) -> str | None:
        return value if value is None or "://" in value else str(_absolute("NH_SOURCE", value))

    @field_validator("drive_credentials")
    @classmethod
    def _key(cls, value: SecretStr | None) -> SecretStr | None:
        where = value.get_secret_value() if value else ""
        if not where or where.startswith("arn:") or "://" in where or where.lstrip().startswith("{"):
            return value
        with suppress(ValueError):  # its message would hold what may be a key
            if max(map(len, Path(where).parts)) <= _LONGEST_NAME:
                return SecretStr(str(_absolute("NH_DRIVE_CREDENTIALS", where)))
        raise ValueError(
            "NH_DRIVE_CREDENTIALS is neither the path of a file, nor the ARN of a secret, nor secretsmanager://NAME"
        )

    @field_validator("domains")
    @classmethod
    def _served(cls, value: str) -> str:
        selected()  # as declarations read it
        return value

    @field_validator("local_time_zones")
    @classmethod
    def _zones(cls, value: str) -> str:
        zones()  # as landing reads it
        return value

    @field_validator("engine")
    @classmethod
    def _known(cls, value: str) -> str:
        if value.lower() in ("sail", "jvm", "glue"):
            return value.lower()
        if not re.fullmatch(r"sc://(\[[0-9a-fA-F:]+\]|[^\s/:;?#@]+)(:[0-9]{1,5})?(/?|/;.*)", value):
            shown = value.partition(";")[0]  # what follows may be a token
            raise ValueError(f"NH_ENGINE is {shown!r}: expected {ENGINES}")
        return value

    @field_validator("catalog_url")
    @classmethod
    def _catalog(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _require_driver(_url(value.get_secret_value()))
        return value

    @field_validator("warehouse_url")
    @classmethod
    def _warehouse(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            from nh_pipeline.warehouse.address import Address

            Address.of(value.get_secret_value())
        return value

    @field_validator("alerts_webhook")
    @classmethod
    def _posted(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(r"https?://\S+", value.get_secret_value()):
            raise ValueError("NH_ALERTS_WEBHOOK is no address: expected https://…")
        return value

    @model_validator(mode="after")
    def _mailed(self) -> Self:
        if self.alerts_mail_to and not (self.alerts_mail_from and self.alerts_smtp_host):
            raise ValueError(
                "NH_ALERTS_MAIL_TO names who gets alerts: expected the sender in NH_ALERTS_MAIL_FROM, and the server "
                "in NH_ALERTS_SMTP_HOST"
            )
        if bool(self.alerts_smtp_user) != bool(self.alerts_smtp_password):
            raise ValueError("NH_ALERTS_SMTP_USER and NH_ALERTS_SMTP_PASSWORD: expected both of them, or neither")
        if self.alerts_smtp_password and not self.alerts_smtp_starttls:
            raise ValueError(
                "NH_ALERTS_SMTP_STARTTLS is off, but NH_ALERTS_SMTP_PASSWORD is set, which all could read on its way"
            )
        return self

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.on_s3 and not re.fullmatch(r"s3://[a-z0-9.-]{3,63}(/.*)?", self.home):
            raise ValueError(f"NH_HOME is {self.home}: expected a folder, or s3://bucket/prefix")
        if not re.fullmatch(r"([a-z][a-z0-9_]{0,60})?", self.database_prefix):
            raise ValueError(
                f"NH_DATABASE_PREFIX is {self.database_prefix}: expected lower-case letters, digits and underscores, a "
                "letter first"
            )
        if re.search(rf"(^|_)({'|'.join(PROTECTED)})_$", self.database_prefix):
            raise ValueError(
                f"NH_DATABASE_PREFIX is {self.database_prefix}: {self.database_prefix}gold would have the name of a "
                "database of a domain; expected another word before the last underscore"
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
        if self.treatments_mode == "query" and not self.treatments_index:
            raise ValueError("NH_TREATMENTS_MODE is query: expected the index's name in NH_TREATMENTS_INDEX")
        if self.source and "://" not in self.source and (why := self.overlap(Path(self.source))):
            raise ValueError(f"NH_SOURCE is {self.source}, {why}")
        return self

    def overlap(self, path: Path) -> str:
        """How deliveries from a folder or file would be files of the lake itself; empty if they are not."""
        if self.on_s3:
            return ""
        found, home = path.resolve(), Path(self.home)
        inside = found.relative_to(home).parts[:1] if found.is_relative_to(home) else ()
        # Hidden folders below a source are not looked into: the default lake may be in the folder that is handed over.
        holds = home.is_relative_to(found) and not any(p.startswith(".") for p in home.relative_to(found).parts)
        if holds or (inside and inside[0] in _OWN):
            return (
                f"which {'holds' if holds else 'is part of'} the lake (NH_HOME is {home}): it would take its own files "
                "for deliveries. Keep the lake and what is delivered apart"
            )
        return ""

    @property
    def on_s3(self) -> bool:
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
    """What the lake is told about its catalog, whose URL is as people write it; empty for the default of its home."""
    named = {"type": "sql", "uri": _url(url).render_as_string(hide_password=False)} if url else {}
    return {**named, **({"database-prefix": database_prefix} if database_prefix else {})}


def _url(text: str) -> URL:
    """The address of a catalog's database, with what SQLAlchemy wants to be told.

    Raises:
        ValueError: it is none. The message does not hold it: it may carry a password.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(text.strip())
    except (ArgumentError, ValueError):
        raise ValueError(
            "NH_CATALOG_URL is no address of a database: expected something like "
            "postgresql+psycopg2://user:password@host/database, or sqlite:////path/to/catalog.db; a password with "
            "@ / : # or % has them written as %40 %2F %3A %23 %25"
        ) from None
    if url.drivername in ("postgres", "postgresql"):  # as everybody else writes it
        url = url.set(drivername="postgresql+psycopg2")
    if url.get_backend_name() == "postgresql" and "connect_timeout" not in url.query:
        url = url.update_query_dict({"connect_timeout": str(CONNECT_SECONDS)})
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise ValueError("NH_CATALOG_URL is a SQLite database without a file, which would be gone with the process")
    if url.get_backend_name() == "sqlite" and url.database and not url.database.startswith("file:"):
        file = _absolute("NH_CATALOG_URL", url.database)
        _directory("NH_CATALOG_URL", str(file.parent), must_exist=True)
        url = url.set(database=str(file))
    return url


def _require_driver(url: URL) -> None:
    from sqlalchemy.exc import NoSuchModuleError

    try:
        url.get_dialect().import_dbapi()
    except NoSuchModuleError:
        raise ValueError(
            f"NH_CATALOG_URL names a database of the kind {url.drivername}, which SQLAlchemy does not know: expected "
            "postgresql+psycopg2:// or sqlite://"
        ) from None
    except ImportError as error:
        extra = " (pip install 'nh-pipeline[postgres]')" if error.name == "psycopg2" else ""
        raise ValueError(
            f"NH_CATALOG_URL asks for {error.name}, which is not installed: install it{extra}, or name another driver"
        ) from None


def _folder(home: str) -> Path:
    return Path(".nh") if "://" in home else Path(home)


def _instance(home: str) -> Path:
    given = Path(os.environ.get("DAGSTER_HOME", ""))
    return given if given.name and (given / "dagster.yaml").is_file() else _folder(home) / "dagster"


def _absolute(name: str, text: str) -> Path:
    """A path that means the same whatever the working directory is."""
    if text != text.strip():
        raise ValueError(f"{name} is {text!r}: it begins or ends with a blank, which is hardly meant")
    try:
        return Path(text).expanduser().resolve()
    except (OSError, RuntimeError) as error:  # a home of nobody, links that go round, a working directory that is gone
        raise ValueError(f"{name} is {text!r}: {error}") from None


def _unambiguous(name: str, place: str) -> str:
    if found := _NO_FOLDER.search(place):
        raise ValueError(
            f"{name} is {place!r}: {found[0]!r} in the name of a folder means something else to the libraries that "
            "read and write there. Choose, or rename, a folder without any of # ? % * [ { and \\"
        )
    return place


def _directory(name: str, text: str, *, must_exist: bool = False) -> Path:
    """A folder that is there, or that can be made."""
    path = _absolute(name, text)
    _unambiguous(name, str(path))
    try:
        above = next(folder for folder in (path, *path.parents) if folder.exists())
    except PermissionError:  # whoever may not look learns that when it is used
        return path
    except OSError as error:
        raise ValueError(f"{name} is {path}: {error.strerror}") from None
    if not above.is_dir():
        raise ValueError(f"{name} is {path}: {above} is a file; expected a folder")
    if must_exist and above != path:
        raise ValueError(f"{name} names a file in {path}, which does not exist: make that folder, or correct the path")
    return path
