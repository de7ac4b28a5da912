"""Bundles that all contestants read: those of 123 synthetic patients, several copies of them, and one patient more."""

from __future__ import annotations

import os
import re
import zipfile
from pathlib import Path

SYNTHEA = "synthea/synthea_r4_bundles.zip"
_UUID = re.compile(rb"\b([0-9a-f]{6})[0-9a-f]{2}((?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b")
_MORE_BYTES = 1_000_000


def given() -> Path:
    """The zip of bundles in the folder of test data.

    Raises:
        FileNotFoundError: there is none.
    """
    archive = Path(os.environ.get("NH_TEST_DATA", "")) / SYNTHEA
    if not archive.is_file():
        raise FileNotFoundError(f"no bundles in {archive}: set NH_TEST_DATA to the folder that holds {SYNTHEA}")
    return archive


def _fresh(content: bytes, copy: int) -> bytes:
    """The same with other ids everywhere, by the fourth byte of each uuid."""
    return _UUID.sub(rb"\g<1>%02x\g<2>" % copy, content)


def several(archive: Path, out: Path, times: int) -> Path:
    """A zip with every bundle so many times, each time with ids of its own."""
    with zipfile.ZipFile(archive) as given, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as copies:
        for copy in range(times):
            for name in given.namelist():
                copies.writestr(f"{copy}/{name}", _fresh(given.read(name), copy))
    return out


def one_more(archive: Path, folder: Path) -> Path:
    """A folder with one bundle of about 1 MB: a new patient with clinicians and hospitals that are new, too."""
    folder.mkdir()
    with zipfile.ZipFile(archive) as given:
        chosen = min(given.infolist(), key=lambda i: abs(i.file_size - _MORE_BYTES))
        (folder / "one_more.json").write_bytes(_fresh(given.read(chosen), 255))
    return folder
