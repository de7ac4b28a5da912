"""Since when nothing tells what was deleted in a table of DynamoDB: a window of what has changed does not."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nh_pipeline.landing.manifest import Delivery, ExtractionFacts

LONGEST = timedelta(hours=25)
"""So long windows may come after what tells it: all of a table is extracted once a day."""


def unseen(counting: Iterable[Delivery]) -> Iterator[str]:
    """Tables whose deletions have not been seen for longer, and since when, for people.

    What tells them is all of a table, or an incremental export.

    Args:
        counting: Deliveries that are neither held nor withdrawn.
    """
    by_table: dict[str, list[ExtractionFacts]] = {}
    for delivery in counting:
        facts = delivery.manifest.export and delivery.manifest.export.extraction
        if facts and facts.table_name:
            by_table.setdefault(facts.table_name, []).append(facts)
    for table, extractions in sorted(by_table.items()):
        seen = max((e.started_at for e in extractions if e.is_full or e.mode == "export"), default=None)
        since = seen or min(e.from_at or e.started_at for e in extractions)
        if seen is None or max(e.started_at for e in extractions) - seen > LONGEST:
            told = f"{table}: deletions unseen since {since:%Y-%m-%d %H:%M} UTC"
            yield f"{told}; extract all of it (nh treatments extract --full), or import its incremental exports"
