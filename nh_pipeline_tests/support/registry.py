"""Files of the NPI registry as CMS writes them, from the columns that a test fills."""

from __future__ import annotations

import csv
import io
import os
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.nppes_columns import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


def registry_text(lines: Iterable[Mapping[str, str]]) -> str:
    """All of CMS's columns, most of them empty; lines by the names of the columns."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(column.source for column in COLUMNS)
    writer.writerows([line.get(column.name, "") for column in COLUMNS] for line in lines)
    return text.getvalue()


def registry_file(path: Path, lines: Iterable[Mapping[str, str]], *, hour: int = 0) -> Path:
    """The same as a file; ``hour`` orders the deliveries of one release."""
    path.write_text(registry_text(lines))
    when = datetime(2024, 1, 1, hour, tzinfo=timezone.utc).timestamp()
    os.utime(path, (when, when))
    return path


def home(npi: str, changed: str, **more: str) -> dict[str, str]:
    """A nursing home, as of the day of its last change."""
    return {
        "npi": npi,
        "entity_type": "2",
        "organization_name": "A",
        "practice_zip": "787010001",
        "last_update_date": changed,
        "taxonomy_1": "314000000X",
        "taxonomy_switch_1": "Y",
        **more,
    }
