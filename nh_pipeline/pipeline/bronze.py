"""Bronze: every landed delivery of a dataset, parsed once."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel

from nh_pipeline import datasets
from nh_pipeline.datasets.headers import canonical_header
from nh_pipeline.errors import LakeError
from nh_pipeline.lake.field_ids import numbered
from nh_pipeline.lake.publish import Staged, find_staged
from nh_pipeline.landing.records import RecordReader, RejectedLine
from nh_pipeline.landing.text import CsvStream
from nh_pipeline.model.table import REJECTS, Table
from nh_pipeline.pipeline.build_state import record_inputs, recorded_inputs
from nh_pipeline.pipeline.context import BuildContext, TableResult, accounting, rows_kept
from nh_pipeline.pipeline.deliveries import noted
from nh_pipeline.pipeline.inspection import content_of, inspected
from nh_pipeline.pipeline.notes import DeliveryNote, Notes
from nh_pipeline.pipeline.recipe import judged_by, parse_recipe
from nh_pipeline.pipeline.result import BuildResult

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.lake.snapshots import TableSnapshot
    from nh_pipeline.landing.manifest import Delivery, Manifest

_LINE_BREAK = r"[\r\n]|\\[rn]"
"""A line break in a cell; in ``extra_columns`` it is escaped."""

_RAGGED = (
    "Compare the line with what CMS publishes: a cell with a comma needs quotes, a cut-off line its rest. Deliver the "
    "corrected file again; all other lines are in the tables"
)


class ParseDelivery(BaseModel, frozen=True):
    """Parses one delivery into ``bronze.<dataset>_raw`` and its refused lines into ``bronze.rejects``."""

    kind: Literal["parse_delivery"] = "parse_delivery"
    dataset: str
    delivery: str

    def run(self, context: BuildContext) -> BuildResult:
        """Parses the delivery and notes what it holds; if that is done, checks what is there.

        A delivery never changes, so its lines do only if they are read by another recipe. If only the rules of values
        have changed, its lines are judged anew, from bronze.
        """
        return context.recomputed(self._attempt)

    def _attempt(self, context: BuildContext) -> BuildResult:
        dataset, lake = datasets.dataset(self.dataset), context.lake
        built = dataset.bronze
        landed = (d for d in context.zone.deliveries(self.dataset) if d.delivery_id == self.delivery)
        delivery = next(landed, None)
        if delivery is None:
            raise LakeError(f"{self.dataset}: no delivery {self.delivery} has landed in {lake.root}")
        rejects_partition = f"{self.delivery}.parse"
        base, refused_base = lake.snapshot(built, [self.delivery]), lake.snapshot(REJECTS, [rejects_partition])
        known = recorded_inputs(lake, built).get(self.delivery)
        note = noted(lake, dataset)[1].get(self.delivery)
        if note and known == note.parsed == parse_recipe(self.dataset, note.header):
            checks = [
                *context.gate(built, base),
                accounting(note.records, base.rows, refused_base.rows),
                rows_kept(base.rows, base.rows, ""),
            ]
            if note.inspected != judged_by(dataset):
                self._note(context, delivery, note, base, refused_base)
            first, second = TableResult.unchanged(checks, base), TableResult.unchanged([], refused_base)
            return BuildResult(table=first, rejects=second)
        text, reader, staged, refused = self._parse(context, delivery, rejects_partition)
        header = tuple(text.header())
        note = DeliveryNote(
            delivery_id=self.delivery,
            parsed=parse_recipe(self.dataset, header),
            inspected="",
            header=header,
            records=lines_in(text, reader, delivery.manifest, _cells(lake, staged)),
            ragged=refused.rows,
        )
        checks = [*context.check(built, staged), accounting(note.records, staged.rows, refused.rows)]
        built_from, lines = {self.delivery: note.parsed}, (refused, refused_base)
        result, rejects = context.publish_if_valid(
            built, staged, checks, base=base, rejects=lines, extent=self.delivery, built_from=built_from
        )
        if result.published:
            # As they are now: a partition that did not change kept its files.
            now = lake.current.snapshot(built, [self.delivery])
            self._note(context, delivery, note, now, lake.current.snapshot(REJECTS, [rejects_partition]))
            record_inputs(lake, built, built_from, result.published)
        return BuildResult(table=result, rejects=rejects)

    def _note(
        self,
        context: BuildContext,
        delivery: Delivery,
        note: DeliveryNote,
        bronze: TableSnapshot,
        ragged: TableSnapshot,
    ) -> None:
        """Notes what the delivery holds; before bronze remembers it, so that who sees that finds the note."""
        dataset, lines = datasets.dataset(self.dataset), context.read(REJECTS, ragged) if note.ragged else None
        found = inspected(context.read(dataset.bronze, bronze), dataset, delivery, ragged=lines)
        content = content_of(context.lake, dataset, bronze) if dataset.coverage == "release" else ""
        made = {**note.model_dump(), **found, "inspected": judged_by(dataset), "content": content}
        Notes(context.lake.storage).write(self.dataset, DeliveryNote.model_validate(made))

    def _parse(
        self, context: BuildContext, delivery: Delivery, rejects_partition: str
    ) -> tuple[CsvStream, RecordReader, Staged, Staged]:
        built, lake = datasets.dataset(self.dataset).bronze, context.lake
        folder, refused_folder = context.new_folder(built), context.new_folder(REJECTS)
        ids, refused_ids = lake.field_ids(built), lake.field_ids(REJECTS)
        schema, refused_schema = numbered(built.arrow, ids), numbered(REJECTS.arrow, refused_ids)
        create = lake.storage.create
        repeated = [c for c in built.names if c != "source_line"]  # what counts up would be larger as a dictionary
        with (
            context.zone.open(delivery) as stream,
            create(f"{folder}/records.parquet") as sink,
            create(f"{refused_folder}/refused.parquet") as refused_sink,
            pq.ParquetWriter(sink, schema, compression="zstd", use_dictionary=repeated) as writer,
            pq.ParquetWriter(refused_sink, refused_schema, compression="zstd") as refused_writer,
            ThreadPoolExecutor(max_workers=1) as beside,  # one batch is written while the next one is parsed
        ):
            dialect = delivery.manifest.dialect
            text = CsvStream(stream, delivery.manifest.encoding, dialect)
            found = canonical_header(self.dataset, text.header())
            numbers = datasets.dataset(self.dataset).numbers | found.gathered
            reader = RecordReader(columns=found.columns, extras=found.unnamed, dialect=dialect, numbers=numbers)
            writing: Future[None] | None = None
            for batch in reader.batches(text):
                if writing is not None:
                    writing.result()
                if batch.num_rows:  # a row group without rows has no statistics, which tell the file's partition
                    writing = beside.submit(writer.write_batch, _complete(batch, built, delivery, found.layout))
                _write_refused(refused_writer, reader, delivery)
            if writing is not None:
                writing.result()
            _write_refused(refused_writer, reader, delivery)
        staged = find_staged(lake, built, folder, [self.delivery], ids)
        refused = find_staged(lake, REJECTS, refused_folder, [rejects_partition], refused_ids)
        return text, reader, staged, refused


def lines_in(text: CsvStream, reader: RecordReader, manifest: Manifest, cells: Iterator[pa.Array]) -> int:
    """Records of a file that was read to its end, counted without the parser that read them: by line ends.

    Where cells hold some (all columns of text that were parsed, part by part), by what landing counted.
    """
    if text.lines == reader.records:
        return text.lines
    if reader.broken or any(pc.any(pc.match_substring_regex(c, _LINE_BREAK)).as_py() for c in cells):
        return reader.records if manifest.records is None else manifest.records
    return text.lines


def _cells(lake: Lake, staged: Staged) -> Iterator[pa.Array]:
    for file in staged.files:
        with lake.open(file.path) as source:
            for batch in pq.ParquetFile(source).iter_batches():
                yield from (c for c in batch.columns if pa.types.is_string(c.type))


def _complete(batch: pa.RecordBatch, built: Table, delivery: Delivery, layout: str) -> pa.RecordBatch:
    """A batch in the table's columns; absent ones are NULL."""
    constant = {"layout": layout, "coverage": delivery.manifest.coverage.key, "delivery_id": delivery.delivery_id}
    present = set(batch.schema.names)
    arrays = [
        batch.column(f.name)
        if f.name in present
        else pa.repeat(pa.scalar(constant.get(f.name), f.type), batch.num_rows)
        for f in built.arrow
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=built.arrow)


def _write_refused(writer: pq.ParquetWriter, reader: RecordReader, delivery: Delivery) -> None:
    """Writes the lines refused so far and takes them out, so that a file of nothing else does not fill the memory."""
    if reader.rejected:
        rows = [_refused(line, delivery) for line in reader.rejected]
        writer.write_batch(pa.RecordBatch.from_pylist(rows, schema=REJECTS.arrow))
        reader.rejected.clear()


def _refused(line: RejectedLine, delivery: Delivery) -> dict[str, object]:
    manifest = delivery.manifest
    return {
        "dataset": manifest.dataset,
        "stage": "parse",
        "coverage": manifest.coverage.key,
        "delivery_id": delivery.delivery_id,
        "file_name": manifest.name,
        "source_line": line.source_line,
        "reason": line.reason,
        "line": line.line,
        "column_name": None,  # which cell is one too many, or lacks, cannot be told
        "what_to_do": _RAGGED,
    }
