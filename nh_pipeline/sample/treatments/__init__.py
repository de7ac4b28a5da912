"""A deterministic generator of a treatment system (DynamoDB) and its extractions, for tests and the demonstration.

Providers, patients and treatments are made up, and labelled so; the homes are those of the generated CMS deliveries.
Same arguments, same bytes and modified times.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING

from nh_pipeline.sample.deliveries import Deliveries
from nh_pipeline.sample.treatments.dynalite import serving
from nh_pipeline.sample.treatments.system import EXPORT, FULL, FULL_AGAIN, WINDOW, System
from nh_pipeline.sample.treatments.truth import TreatmentTruth
from nh_pipeline.sample.treatments.writing import Line, archive, deleted, native, put, scan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["System", "TreatmentTruth", "extraction", "lines", "write_treatments"]

_FULL = (FULL, FULL_AGAIN)
_FILES = 4
"""Data files of a full scan: as many as segments."""


def lines(system: System, number: int) -> Iterator[Line]:
    """What is in an extraction, 1 to 4."""
    at = system.at(number)
    for n in system.numbers(number):
        if number in _FULL:
            if system.is_there(n, number):
                yield put(system.item(system.treated(n, number)))
        elif number == EXPORT and system.is_deleted(n):
            yield deleted({"treatment_id_partition_key": f"{n}"}, at - timedelta(hours=1))
        elif system.is_changed(n, number):
            of = system.treated(n, number)
            yield put(system.item(of), of.modified_at if number == EXPORT else None)


def extraction(system: System, number: int) -> bytes:
    """An extraction as an archive: a full scan, a window, an incremental export with deletions, a full scan again."""
    at, found = system.at(number), list(lines(system, number))
    before = system.at(number - 1) if number > 1 else None
    if number in _FULL:
        return archive(scan(at), *(found[part::_FILES] for part in range(_FILES)))
    return archive(native(at, since=before) if number == EXPORT else scan(at, since=before), found)


def write_treatments(
    out: Path,
    *,
    cms: Deliveries | None = None,
    treatments: int = 600,
    homes: int = 12,
    extractions: Sequence[int] = (FULL, WINDOW, EXPORT, FULL_AGAIN),
    served: bool = False,
) -> TreatmentTruth:
    """Writes extractions of a treatment system, one archive each.

    Args:
        out: The folder, made if it is not there. Files of the same names are replaced.
        cms: The plan of CMS deliveries at whose homes the providers are; by default the one of ``nh sample``.
        treatments: How many there are in the beginning.
        homes: At most.
        extractions: Which to write: 1 is a full scan, 2 a window, 3 an incremental export with deletions, 4 a full scan
            that lacks what was deleted unseen.
        served: Whether scans are read from a table of a server (:mod:`.served`), which must be installed.

    Returns:
        What the tables must come to after all extractions up to the last one that is written.
    """
    system = System(cms or Deliveries(), treatments, homes)
    out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        server = None
        if served:
            from nh_pipeline.sample.treatments.served import Served  # noqa: PLC0415 (needs boto3)

            server = Served(system, stack.enter_context(serving()))
        for number in extractions:
            path = out / f"treatments_{system.at(number):%Y-%m-%d}.zip"
            read = server if number != EXPORT else None
            path.write_bytes(read.extraction(number) if read else extraction(system, number))
            os.utime(path, (system.at(number).timestamp(), system.at(number).timestamp()))
    return TreatmentTruth(system, max(extractions))
