"""Bronze: every landed delivery of a dataset, parsed once."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from nh_pipeline.compute.step import StepResult, Workspace, accounting, with_recompute
from nh_pipeline.contracts.bronze import BRONZE, REJECTS
from nh_pipeline.contracts.raw import canonical_header
from nh_pipeline.lake.publish import Published, find_staged
from nh_pipeline.landing.records import RecordReader
from nh_pipeline.steps.memory import remember, remembered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nh_pipeline.contracts.base import Contract
    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.lake.publish import Staged
    from nh_pipeline.landing.manifest import Delivery
    from nh_pipeline.landing.zone import RawZone

_ARROW = {"string": pa.string(), "bigint": pa.int64()}


class ParseDelivery(BaseModel):
    """Parses one delivery into ``bronze.<dataset>_raw`` and its refused lines into ``bronze.rejects``."""

    model_config = ConfigDict(frozen=True)

    dataset: str
    delivery: str

    def run(self, workspace: Workspace) -> list[StepResult]:
        """Parses the delivery, or, if it is in bronze already, checks what is there.

        Returns:
            Results for the bronze table and for the rejects.
        """
        delivery = next(d for d in workspace.zone.deliveries(self.dataset) if d.delivery_id == self.delivery)
        return with_recompute(lambda: self._attempt(workspace, delivery))

    def _attempt(self, workspace: Workspace, delivery: Delivery) -> list[StepResult]:
        contract, lake = BRONZE[self.dataset], workspace.lake
        refused_slice = f"{self.delivery}.parse"
        base, refused_base = lake.pin(contract, [self.delivery]), lake.pin(REJECTS, [refused_slice])
        known = remembered(lake, contract).get(self.delivery)
        if base.files and known:  # a delivery never changes, so its lines do not either
            checks = [*workspace.gate(contract, base), accounting(int(known), base.rows, refused_base.rows)]
            return [
                StepResult(table=t.name, checks=tuple(c), published=Published.unchanged(p), rows=p.rows)
                for t, c, p in ((contract, checks, base), (REJECTS, [], refused_base))
            ]
        reader, staged = self._parse(workspace, delivery)
        refused = self._refused(workspace, reader, delivery, refused_slice)
        rows_in = _lines_in(lake, reader, staged)
        checks = [*workspace.check(contract, staged), accounting(rows_in, staged.rows, refused.rows)]
        results = workspace.settle_with_rejects(
            (contract, staged, checks, base), (refused, refused_base), extent=self.delivery
        )
        if results[0].published:
            remember(lake, contract, {self.delivery: str(rows_in)})
        return results

    def _parse(self, workspace: Workspace, delivery: Delivery) -> tuple[RecordReader, Staged]:
        contract, lake, zone = BRONZE[self.dataset], workspace.lake, workspace.zone
        found = canonical_header(self.dataset, _header(zone, delivery))
        reader = RecordReader(columns=found.columns, extras=found.extras)
        folder = workspace.new_folder(contract)
        with zone.open(delivery) as stream, lake.storage.create(f"{folder}/records.parquet") as sink:
            _write(sink, contract, reader.batches(stream, delivery.manifest.encoding), delivery)
        return reader, find_staged(lake, contract, folder, [self.delivery])

    def _refused(self, workspace: Workspace, reader: RecordReader, delivery: Delivery, slice_: str) -> Staged:
        folder = workspace.new_folder(REJECTS)
        with workspace.lake.storage.create(f"{folder}/refused.parquet") as sink:
            pq.write_table(_refused_lines(reader, delivery), sink, compression="zstd")
        return find_staged(workspace.lake, REJECTS, folder, [slice_])


def _lines_in(lake: Lake, reader: RecordReader, staged: Staged) -> int:
    """Records of the file, counted by its line ends and not by the parser, where cells hold none."""
    by_parser = reader.rows + len(reader.refused)
    by_lines = reader.lines - 1
    if by_lines == by_parser or any("\n" in r.line for r in reader.refused):
        return by_parser
    for file in staged.files:
        with lake.open(file.path) as source:
            for batch in pq.ParquetFile(source).iter_batches():
                texts = (c for c in batch.columns if pa.types.is_string(c.type))
                if any(pc.any(pc.match_substring(c, "\n")).as_py() for c in texts):
                    return by_parser
    return by_lines


def _header(zone: RawZone, delivery: Delivery) -> list[str]:
    with zone.open(delivery) as stream:
        text = io.TextIOWrapper(stream, encoding=delivery.manifest.encoding, newline="")
        return next(csv.reader(text))


def _write(sink: pa.NativeFile, contract: Contract, batches: Iterator[pa.RecordBatch], delivery: Delivery) -> None:
    """Streams batches into one Parquet file with the contract's columns; absent ones are NULL."""
    schema = pa.schema([(f.name, _ARROW[f.dataType.simpleString()]) for f in contract.spark.fields])
    constant = {
        "layout": delivery.manifest.layout,
        "coverage": delivery.manifest.coverage.key,
        "delivery_id": delivery.delivery_id,
    }
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for batch in batches:
            present = set(batch.schema.names)
            arrays = [
                batch.column(f.name)
                if f.name in present
                else pa.repeat(pa.scalar(constant.get(f.name), f.type), batch.num_rows)
                for f in schema
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema), row_group_size=1 << 18)


def _refused_lines(reader: RecordReader, delivery: Delivery) -> pa.Table:
    manifest = delivery.manifest
    schema = pa.schema([(f.name, _ARROW[f.dataType.simpleString()]) for f in REJECTS.spark.fields])
    rows = [
        {
            "dataset": manifest.dataset,
            "stage": "parse",
            "coverage": manifest.coverage.key,
            "delivery_id": delivery.delivery_id,
            "file_name": manifest.name,
            "source_line": refused.source_line,
            "reason": refused.reason,
            "line": refused.line,
        }
        for refused in reader.refused
    ]
    return pa.Table.from_pylist(rows, schema=schema)
