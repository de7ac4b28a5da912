"""What a warehouse holds of the lake: the table ``nh.loads`` in it, written by the transactions that load."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from sqlglot import exp

from nh_pipeline.warehouse.definition import name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nh_pipeline.warehouse.connection import Session

_LOADS = """
create table if not exists nh.loads (
    table_name varchar(256) not null primary key, snapshot_id bigint, row_count bigint not null,
    columns varchar(65535) not null, loaded_at timestamptz not null)
"""
_LOCK = 7253
"""Any number, but always the same."""

_PATIENCE = "60s"
"""How long a load waits for what others hold of a table: who asks for it meanwhile waits behind the load."""


@dataclass(frozen=True)
class Noted:
    """What was loaded last.

    Attributes:
        snapshot_id: of the lake's table; None if it had none.
        columns: with their types, as the warehouse's table was made or changed.
    """

    snapshot_id: int | None
    columns: Mapping[str, str]


def begin(session: Session) -> None:
    """Makes the notes, if need be, and waits until nobody else loads: no older snapshot comes after a newer one."""
    if session.dialect == "postgres":
        session.run(f"select pg_advisory_xact_lock({_LOCK})")
        session.run(f"set local lock_timeout = '{_PATIENCE}'")
    require_schema(session, "nh")
    session.run(_LOADS)
    if session.dialect == "redshift":  # which has no locks but those of tables
        session.run("lock nh.loads")


def read(session: Session, at: exp.Table) -> Noted | None:
    """What is noted of a table; None if nothing is."""
    if not exists(session, name("nh", "loads")):
        return None
    found = session.one("select snapshot_id, columns from nh.loads where table_name = %s", [_key(at)])
    return Noted(found[0], json.loads(found[1])) if found else None


def write(session: Session, at: exp.Table, noted: Noted, rows: int) -> None:
    """Notes what a table holds from now on."""
    session.run("delete from nh.loads where table_name = %s", [_key(at)])
    session.run(
        "insert into nh.loads (table_name, snapshot_id, row_count, columns, loaded_at) values (%s, %s, %s, %s, %s)",
        [_key(at), noted.snapshot_id, rows, json.dumps(noted.columns), datetime.now(tz=timezone.utc)],
    )


def exists(session: Session, at: exp.Table) -> bool:
    there = "select 1 from information_schema.tables where table_schema = %s and table_name = %s"
    return session.one(there, [at.db, at.name]) is not None


def require_schema(session: Session, schema: str) -> None:
    """Looks first: whoever may not make schemas may load into those that are there."""
    if session.one("select 1 from pg_namespace where nspname = %s", [schema]) is None:
        session.run(exp.Create(this=exp.Table(db=exp.to_identifier(schema, quoted=True)), kind="SCHEMA"))


def _key(at: exp.Table) -> str:
    return f"{at.db}.{at.name}"
