"""A PostgreSQL server for tests: one of its own where Debian's programs are, or the one that is named."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def postgres() -> Iterator[str]:
    """Its address: of ``NH_TEST_POSTGRES``, or of a server that only this user reaches, through a socket."""
    if given := os.environ.get("NH_TEST_POSTGRES"):
        yield given
        return
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not folders:
        pytest.skip("no PostgreSQL: set NH_TEST_POSTGRES to a postgresql+psycopg2:// address, or install postgresql")
    programs = folders[-1].parent
    as_user = ["runuser", "-u", "nobody", "--"] if os.getuid() == 0 else []
    home = Path(tempfile.mkdtemp(prefix="nh-pg-"))
    try:
        if as_user:
            shutil.chown(home, "nobody")
        data = str(home / "data")

        def run(program: str, *arguments: str) -> None:
            command = [*as_user, programs / program, "-D", data, *arguments]
            subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL)

        run("initdb", "-U", "nh", "-E", "UTF8", "--locale=C", "--auth=trust", "-N")
        options = f"-k {home} -c listen_addresses='' -c fsync=off"
        run("pg_ctl", "-o", options, "-l", f"{home}/log", "-w", "start")
        try:
            yield f"postgresql+psycopg2://nh@/postgres?host={home}"
        finally:
            run("pg_ctl", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(home)
