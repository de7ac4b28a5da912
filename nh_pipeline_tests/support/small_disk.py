"""A disk that can be filled without anybody else being harmed."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ONLY_ROOT = "a small file system can only be mounted by root (mount -t tmpfs)"


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[bool]:
    """Makes a folder that is a file system of its own, in memory; whether it is one: only root can mount it."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "nh-test", folder]
    mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", folder], check=True)


def filled(folder: Path, leave: int) -> Path:
    """A file that leaves so many bytes."""
    ballast = folder / "ballast"
    usage = shutil.disk_usage(folder)
    with ballast.open("wb") as out:
        out.write(b"x" * (usage.free - leave))
    return ballast
