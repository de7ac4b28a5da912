"""Statements by which Redshift and Snowflake read all tables of a lake on AWS in place, through the Glue Data Catalog.

Not verified on an account.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nh_pipeline.model.table import Table

ENGINES = ("redshift", "snowflake")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/[\w+=,.@/-]+")


@dataclass(frozen=True)
class Place:
    """Where a lake on AWS is, and who may read it.

    Attributes:
        home: ``s3://bucket/prefix``.
        region: of bucket and catalog.
        role: ARN of an IAM role that the engine may take on.
        prefix: begins the names of the databases.

    Raises:
        ValueError: the lake is not on S3, or the role is none.
    """

    home: str
    region: str
    role: str
    prefix: str = ""

    def __post_init__(self) -> None:
        if not self.home.startswith("s3://"):
            raise ValueError(f"NH_HOME is {self.home}: other engines read a lake on S3, in the Glue Data Catalog")
        if not _ROLE.fullmatch(self.role):
            raise ValueError(f"--role {self.role}: expected arn:aws:iam::ACCOUNT:role/ROLE")

    @property
    def account(self) -> str:
        return self.role.split(":")[4]


def statements(engine: str, place: Place, tables: Iterable[Table]) -> list[str]:
    """What an engine of :data:`ENGINES` is told, in order; each ends with a semicolon."""
    return {"redshift": _redshift, "snowflake": _snowflake}[engine](place, list(tables))


def _redshift(place: Place, tables: list[Table]) -> list[str]:
    return [
        f"create external schema if not exists {database} from data catalog database {_text(database)} "
        f"region {_text(place.region)} iam_role {_text(place.role)};"
        for database in _databases(place, tables)
    ]


def _snowflake(place: Place, tables: list[Table]) -> list[str]:
    """A volume and an integration that may read alone, and each table by its name in the catalog."""
    home, role, name = _text(f"{place.home.rstrip('/')}/"), _text(place.role), f"{place.prefix}nh"
    found = [
        (
            f"create external volume if not exists {name} storage_locations = ((name = 'lake' storage_provider = 'S3' "
            f"storage_base_url = {home} storage_aws_role_arn = {role})) allow_writes = false;"
        ),
        (
            f"create catalog integration if not exists {name}_glue catalog_source = glue table_format = iceberg "
            f"glue_aws_role_arn = {role} glue_catalog_id = {_text(place.account)} glue_region = {_text(place.region)} "
            "enabled = true;"
        ),
    ]
    found += [f"create schema if not exists {database};" for database in _databases(place, tables)]
    for table in tables:
        database = place.prefix + table.database
        found.append(
            f"create iceberg table if not exists {database}.{table.short} external_volume = {_text(name)} "
            f"catalog = {_text(f'{name}_glue')} catalog_namespace = {_text(database)} "
            f"catalog_table_name = {_text(table.short)} auto_refresh = true;"
        )
    return found


def _databases(place: Place, tables: list[Table]) -> list[str]:
    return [place.prefix + database for database in dict.fromkeys(table.database for table in tables)]


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
