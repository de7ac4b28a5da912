"""The address of a warehouse (``NH_WAREHOUSE_URL``). It may hold a password, and is shown nowhere."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

_DIALECTS = {"postgres": "postgres", "postgresql": "postgres", "redshift": "redshift"}
_OPTIONS = {
    "postgres": {"connect_timeout": "10", "application_name": "nh"},
    "redshift": {"connect_timeout": "10", "application_name": "nh", "port": "5439", "sslmode": "require"},
}
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+")


@dataclass(frozen=True)
class Address:
    """Where a warehouse is, and who asks there.

    Attributes:
        dialect: ``postgres`` or ``redshift``, as sqlglot calls them.
        options: what the driver is told, the password among it.
        iam_role: by which Redshift reads the lake's files.
    """

    dialect: str
    options: Mapping[str, str] = field(repr=False)
    iam_role: str = ""

    @classmethod
    def of(cls, text: str) -> Address:
        """An address as it is written: ``postgresql://…`` or ``redshift://…?iam_role=arn:…``.

        Raises:
            ValueError: it is none, or a library is missing; the message does not hold it.
        """
        if missing := [library for library in ("psycopg2", "sqlglot") if find_spec(library) is None]:
            told = f"NH_WAREHOUSE_URL asks for {missing[0]}, which is not installed"
            raise ValueError(f"{told}: pip install 'nh-pipeline[warehouse]'")
        try:
            url = make_url(text.strip())
        except (ArgumentError, ValueError):
            url = None
        dialect = _DIALECTS.get(url.get_backend_name()) if url else None
        if url is None or dialect is None or not url.database:
            raise ValueError(
                "NH_WAREHOUSE_URL is no address of a warehouse: expected something like "
                "postgresql://user:password@host/database, or redshift://user:password@host:5439/database"
                "?iam_role=arn:aws:iam::ACCOUNT:role/ROLE; a password with @ / : # or % has them written as %40 %2F "
                "%3A %23 %25"
            )
        more = {name: value if isinstance(value, str) else value[-1] for name, value in url.query.items()}
        role = more.pop("iam_role", "")
        if dialect == "redshift" and not _ROLE.fullmatch(role):
            raise ValueError(
                "NH_WAREHOUSE_URL names no role by which Redshift may read the files of the lake: expected "
                "?iam_role=arn:aws:iam::ACCOUNT:role/ROLE at its end"
            )
        parts = {"host": url.host, "port": url.port, "user": url.username, "password": url.password}
        given = {name: str(value) for name, value in parts.items() if value is not None}
        return cls(dialect, {**_OPTIONS[dialect], **given, "dbname": url.database, **more}, role)

    def without_secrets(self, text: str) -> str:
        """A text without what nobody may see of the address."""
        for name, value in self.options.items():
            if "pass" in name and value:
                text = text.replace(value, "…")
        return text
