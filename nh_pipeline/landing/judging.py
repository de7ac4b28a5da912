"""Whether bytes that came are a delivery, and which: what a manifest says of their content."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timezone
from typing import TYPE_CHECKING, BinaryIO, cast

from nh_pipeline.datasets.clinical import FHIR_EXPORT
from nh_pipeline.landing.archive import open_csv
from nh_pipeline.landing.coverage import Coverage
from nh_pipeline.landing.fhir.survey import kind
from nh_pipeline.landing.fhir.told import told
from nh_pipeline.landing.json_files import opened
from nh_pipeline.landing.manifest import ExportFacts
from nh_pipeline.landing.readers import reader_of
from nh_pipeline.landing.recognise import inspect_file
from nh_pipeline.sources.protocol import PEEK_BYTES

if TYPE_CHECKING:
    from datetime import date

    from nh_pipeline.lake.storage import Storage
    from nh_pipeline.landing.dates import DateOrder
    from nh_pipeline.landing.readers import Reader
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
    reader = export_reader(storage, content)
    return of_export(storage, content, word, reader) if reader else of_file(storage, content, word)


def export_reader(storage: Storage, content: Content) -> Reader | None:
    """What reads a content, if it is an export, an archive included."""
    with storage.open(content.path) as stream:
        delivery = cast("BinaryIO", stream)
        return reader_of(delivery, delivery.read(PEEK_BYTES))


def of_file(storage: Storage, content: Content, word: Word) -> dict[str, object]:
    """What a manifest says of a file that is no export: a CSV, or what an export says of itself.

    Raises:
        Refused: It is neither.
    """
    with storage.open(content.path) as stream:
        is_told = kind(cast("BinaryIO", stream).read(PEEK_BYTES)) == "told"
    return (_of_told if is_told else _of_csv)(storage, content, word)


def _of_csv(storage: Storage, content: Content, word: Word) -> dict[str, object]:
    """What a manifest says of a CSV.

    Raises:
        Refused: It is none that is known.
    """
    name = content.received.name
    delivery = open_csv(cast("BinaryIO", storage.open(content.path)), name, limited=word.limited)
    with delivery.stream as stream:
        found = inspect_file(stream, name, order=word.order)
    return {
        "dataset": found.dataset,
        "layout": found.header.layout,
        "encoding": found.encoding,
        "member": delivery.member,
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


def _of_told(storage: Storage, content: Content, word: Word) -> dict[str, object]:
    """What a manifest says of the log or manifest of an export that lies loose: it is kept, and that is all."""
    received = content.received
    with (
        storage.open(content.path) as stream,
        opened(cast("BinaryIO", stream), received.name, limited=word.limited) as file,
    ):
        found = told(file, received.name)
    day = (found.transaction_time or received.modified_at).astimezone(timezone.utc).date()
    return _exported(f"{FHIR_EXPORT.name}_log", "r4", day, found.size, word) | {
        "aside": "it says when an export was made, and has no rows: to be heeded, zip it with the export's files"
    }


def of_export(storage: Storage, content: Content, word: Word, reader: Reader) -> dict[str, object]:
    """What a manifest says of an export.

    Raises:
        Refused: It is damaged, or holds nothing that can be taken.
    """
    received = content.received
    with storage.open(content.path) as stream:
        found = reader.survey(
            cast("BinaryIO", stream), received.name, modified_at=received.modified_at, limited=word.limited
        )
    facts = {name: getattr(found, name) for name in ExportFacts.model_fields if hasattr(found, name)}
    return _exported(reader.export.name, reader.layout, found.dt, found.size, word) | {
        "extras": getattr(found, "extras", ()),
        "absent": getattr(found, "absent", ()),
        "records": found.records + found.refused,
        "export": ExportFacts.model_validate(facts),
    }


def _exported(dataset: str, layout: str, day: date, size: int, word: Word) -> dict[str, object]:
    return {
        "dataset": dataset,
        "layout": layout,
        "encoding": "utf-8",
        "member": None,
        "coverage": Coverage(kind="export", key=day.isoformat(), start=day, end=day),
        "csv_size": size,
        "extras": (),
        "absent": (),
        "overruled": word.overruled,
    }
