"""What reads exports: how each kind is told, what a delivery of it is as a whole, and the rows that it becomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from nh_pipeline.datasets.clinical import FHIR_EXPORT
from nh_pipeline.datasets.treatments import TREATMENTS
from nh_pipeline.landing import dynamodb, fhir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from nh_pipeline.landing.about import About
    from nh_pipeline.model.table import Table
    from nh_pipeline.model.view import Export


@dataclass(frozen=True)
class Reader:
    """What reads one kind of export.

    Attributes:
        export: the kind.
        layout: what manifests call its form.
        is_file: whether a file that is no archive is one, by its first bytes, plain or gzipped.
        is_archive: whether a zip archive is one.
        survey: reads all of a delivery and says what it is: its day (``dt``), its bytes unpacked (``size``), and what
            :class:`~nh_pipeline.landing.manifest.ExportFacts` holds; refuses what is damaged.
        batches: the rows of a delivery: table, bucket of patients, batch.
    """

    export: Export
    layout: str
    is_file: Callable[[bytes], bool]
    is_archive: Callable[[BinaryIO], bool]
    survey: Callable[..., Any]
    batches: Callable[[About, BinaryIO], Iterator[tuple[Table, int, pa.RecordBatch]]]


READERS = (
    Reader(
        FHIR_EXPORT,
        "r4",
        fhir.is_fhir,
        fhir.is_fhir_archive,
        fhir.survey,
        lambda about, stream: fhir.Extraction(about).batches(stream),
    ),
    Reader(
        TREATMENTS,
        "dynamodb_json",
        dynamodb.is_items,
        dynamodb.is_items_archive,
        dynamodb.survey,
        dynamodb.batches,
    ),
)


def reader(export: Export) -> Reader:
    """What reads the deliveries of an export."""
    return next(one for one in READERS if one.export == export)


def reader_of(stream: BinaryIO, start: bytes) -> Reader | None:
    """What reads a delivery, by its first bytes, or by what is in the archive; None if it is no export."""
    return next((one for one in READERS if one.is_file(start) or one.is_archive(stream)), None)


def is_exported(start: bytes) -> bool:
    """Whether a file that is no archive is an export, by its first bytes."""
    return any(one.is_file(start) for one in READERS)
