"""What a source has for a range of days, and what of a range has landed."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from nh_pipeline.landing.archive import kind, open_csv, start_of_csv
from nh_pipeline.landing.readers import is_exported
from nh_pipeline.landing.recognise import LONGEST_RECORD, CutOff, Recognition, recognise
from nh_pipeline.landing.refused import Refused, SeveralDeliveries
from nh_pipeline.landing.unpacking import is_several
from nh_pipeline.periods import month_bounds, months
from nh_pipeline.sources.protocol import PEEK_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from nh_pipeline.landing.coverage import Coverage
    from nh_pipeline.landing.manifest import Delivery
    from nh_pipeline.sources.protocol import Source, SourceFile


def covers(coverage: Coverage, date_range: tuple[date, date] | None) -> bool:
    """Whether a delivery has anything for a range of days (first and last); whatever is, for None."""
    if date_range is None:
        return True
    start, end = date_range
    return coverage.start is not None and coverage.end is not None and coverage.start <= end and coverage.end >= start


def recognised(source: Source, file: SourceFile) -> Recognition:
    """What a file of the source is, by the first 64 KB of its CSV, or more if its first row is longer.

    Of an archive, the directory says where the CSV is, as it does for landing.

    Raises:
        Refused: no known header, or damaged; :class:`SeveralDeliveries` for an archive of several.
    """
    try:
        return _recognised(source, file, PEEK_BYTES)
    except CutOff:
        return _recognised(source, file, 2 * LONGEST_RECORD)


def _recognised(source: Source, file: SourceFile, size: int) -> Recognition:
    complete = file.size is not None and file.size <= size
    content = source.peek(file, size)
    if kind(content) != "zip":
        if is_exported(start_of_csv(content, file.name)):
            raise _only_landing_tells(file.name)
        return recognise(content, file.name, complete=complete)
    with io.BytesIO(content) if complete else source.open(file) as delivery:
        if is_several(delivery):
            raise _only_landing_tells(file.name)
        if complete:
            return recognise(content, file.name, complete=True)
        delivery.seek(0)
        with open_csv(delivery, file.name).stream as stream:
            beginning = stream.read(size)
            return recognise(beginning, file.name, complete=len(beginning) < size)


def _only_landing_tells(name: str) -> SeveralDeliveries:
    return SeveralDeliveries(
        f"{name}: several files in the archive, or an export",
        expected="one file of one dataset",
        found="what is looked at as a whole when it lands",
        what_to_do="Land it.",
    )


def wanted(
    source: Source, dataset: str, date_range: tuple[date, date] | None, file_ids: Iterable[str]
) -> list[SourceFile]:
    """Files of the source that hold a dataset for a range of days, told by their first 64 KB.

    And those of which only landing can tell: archives of several, files of changes that are longer.

    Raises:
        SourceUnavailable: the source cannot be listed, or one of its files not be read: that is no empty source.
    """
    only = set(file_ids)
    found = []
    for file in source.find(only) if only else source.changes(None).files:
        try:
            what = recognised(source, file)
        except (SeveralDeliveries, CutOff):  # what is in it, its landing tells
            found.append(file)
            continue
        except Refused:  # the delivery sensor puts it into quarantine; it is no delivery of this dataset
            continue
        if what.dataset == dataset and covers(what.coverage, date_range):
            found.append(file)
    return found


def uncovered(deliveries: Iterable[Delivery], start: date, end: date, *, by_day: bool) -> list[str]:
    """Days, or months with a release, of the range that no landed delivery covers."""
    spans = [(d.manifest.coverage.start, d.manifest.coverage.end) for d in deliveries]
    missing = []
    for month in months(start, end):
        first, last = month_bounds(month)
        if not by_day:
            if not any(a and b and a <= last and b >= first for a, b in spans):
                missing.append(month)
            continue
        first, last = max(first, start), min(last, end)
        if not any(a and b and a <= first and b >= last for a, b in spans):  # a quarter covers whole months
            missing += [first.isoformat()] if first == last else [f"{first} to {last}"]
    return missing
