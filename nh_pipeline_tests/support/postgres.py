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


class Cluster:
    """A server of Debian's, with its data in a folder of its own; a superuser ``nh``."""

    def __init__(self, *, password: str = ""):
        """With a password, whoever connects must know it."""
        folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        if not folders:
            told = "no PostgreSQL: set NH_TEST_POSTGRES to a postgresql+psycopg2:// address, or install postgresql"
            pytest.skip(told)
        self.programs = folders[-1].parent
        self.home = Path(tempfile.mkdtemp(prefix="nh-pg-"))
        self._as_user = ["runuser", "-u", "nobody", "--"] if os.getuid() == 0 else []
        secret = self.home / "password"
        secret.write_text(password)
        if self._as_user:
            shutil.chown(self.home, "nobody")
            shutil.chown(secret, "nobody")
        auth = ["--auth=scram-sha-256", f"--pwfile={secret}"] if password else ["--auth=trust"]
        self._run("initdb", "-U", "nh", "-E", "UTF8", "--locale=C", "-N", *auth)

    def start(self, *options: str) -> None:
        """Reached through a socket in its folder, unless options say more."""
        told = " ".join((f"-k {self.home} -c listen_addresses='' -c fsync=off", *options))
        self._run("pg_ctl", "-o", told, "-l", f"{self.home}/log", "-w", "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-m", "immediate", "stop")

    def remove(self) -> None:
        shutil.rmtree(self.home)

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as_user, self.programs / program, "-D", self.home / "data", *arguments]
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL)


@contextmanager
def postgres() -> Iterator[str]:
    """Its address: of ``NH_TEST_POSTGRES``, or of a server that only this user reaches, through a socket."""
    if given := os.environ.get("NH_TEST_POSTGRES"):
        yield given
        return
    cluster = Cluster()
    try:
        cluster.start()
        try:
            yield f"postgresql+psycopg2://nh@/postgres?host={cluster.home}"
        finally:
            cluster.stop()
    finally:
        cluster.remove()
