"""Whether bytes that came are a delivery, and which: what a manifest says of their content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, cast

from nh_pipeline.landing.archive import open_csv
from nh_pipeline.landing.recognise import inspect_file

if TYPE_CHECKING:
    from nh_pipeline.lake.storage import Storage
    from nh_pipeline.landing.dates import DateOrder
    from nh_pipeline.landing.receiving import Content


@dataclass(frozen=True)
class Word:
    """A person's word about a file: why it is to be taken, and the order of its dates."""

    overruled: str | None = None
    order: DateOrder | None = None

    @property
    def limited(self) -> bool:
        """Whether the file may only unpack to so much."""
        return self.overruled is None


NO_WORD = Word()


def judged(storage: Storage, content: Content, word: Word) -> dict[str, object]:
    """What a manifest says of a content.

    Raises:
        Refused: It is no delivery.
    """
    name = content.received.name
    opened = open_csv(cast("BinaryIO", storage.open(content.path)), name, limited=word.limited)
    with opened.stream as stream:
        found = inspect_file(stream, name, order=word.order)
    return {
        "dataset": found.dataset,
        "layout": found.header.layout,
        "encoding": found.encoding,
        "member": opened.member,
        "coverage": found.coverage,
        "csv_size": found.size,
        "extras": found.header.extras,
        "absent": found.header.absent,
        "records": found.records,
        "overruled": word.overruled,
        "header": found.cells,
        "date_order": found.date_order,
        "dialect": found.dialect,
        "strays": found.strays,
        "first_stray": found.first_stray,
    }
