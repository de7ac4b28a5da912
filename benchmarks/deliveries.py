"""The files that all contestants read: full quarters as plain CSV, one release of providers and one of claims."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path  # noqa: TC003 (in signatures that others evaluate)

FACILITIES = 14_564
QUARTERS = ["2024Q2", "2024Q3", "2024Q4", "2025Q1", "2025Q2", "2025Q3", "2025Q4", "2026Q1"]
_REAL = ("PBJ_Daily_Nurse_Staffing_Q2_2024", "NH_ProviderInfo_Nov2024", "NH_QualityMsr_Claims_Oct2024")


def make(folder: Path, quarters: int, real: Path | None = None) -> Path:
    """A delivery folder with the first ``quarters`` quarters.

    Args:
        folder: empty, or not there.
        quarters: how many, 1 to 8.
        real: folder of real deliveries; takes its one full quarter.
    """
    from nh_pipeline.sample import generate

    folder.mkdir(parents=True, exist_ok=True)
    if real is None:
        generate(folder, facilities=FACILITIES, quarters=QUARTERS[:quarters], releases=1)
        return folder
    for file in real.iterdir():
        if file.name.startswith(_REAL):
            (folder / file.name).write_bytes(file.read_bytes())
    for packed in list(folder.glob("*.zip")):
        with zipfile.ZipFile(packed) as archive:
            archive.extractall(folder)
        packed.unlink()
    return folder


def staffing(drop: Path) -> list[Path]:
    """The staffing files, the earliest quarter first."""
    return sorted(drop.glob("PBJ*.csv"), key=lambda p: (p.stem[-4:], p.stem[-7:]))


def correct(file: Path, folder: Path) -> Path:
    """A folder with a later delivery of the same quarter, in which one facility reports another hour on one day."""
    folder.mkdir()
    again = folder / f"{file.stem}_corrected.csv"
    shutil.copyfile(file, again)  # not through memory, of which the peak is measured
    with again.open("r+b") as content:
        content.seek(-200, os.SEEK_END)
        tail = content.read().rstrip()
        before, _, last = tail.rpartition(b",")
        content.seek(-200, os.SEEK_END)
        content.write(b"%s,%.2f\n" % (before, float(last) + 1))
        content.truncate()
    modified = file.stat().st_mtime + 30 * 86_400
    os.utime(again, (modified, modified))
    return folder
