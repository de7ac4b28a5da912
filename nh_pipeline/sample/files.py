"""Bytes of generated files: CSV rendering, zip archives and modified times, the same on every run."""

from __future__ import annotations

import csv
import io
import os
import zipfile
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import cache
from typing import IO, TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nh_pipeline.sample.headers import category_order, has_incomplete_column, has_padded_fips, staffing_header

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date
    from pathlib import Path

    from numpy.typing import NDArray

    from nh_pipeline.sample.facilities import World
    from nh_pipeline.sample.periods import Quarter
    from nh_pipeline.sample.staffing import Block

CP1252 = "cp1252"
Binaries: TypeAlias = Any
"""An array of binary texts: the stubs of pyarrow know neither its takes nor its joins."""

_ONE_IN = 89  # days that CMS cut off
_CENTS_TABLE = 1 << 17  # hours below 1,310.72 are looked up, the rest rendered


@contextmanager
def new_file(path: Path, modified: float) -> Iterator[IO[bytes]]:
    """A file to write, in a zip archive if its name says so, which then gets its business date as modified time.

    Args:
        path: ``….csv``, or ``….zip`` that is to hold a ``….csv``.
        modified: Epoch seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".zip":
        stamp = datetime.fromtimestamp(modified, tz=timezone.utc).timetuple()[:6]
        member = zipfile.ZipInfo(path.with_suffix(".csv").name, stamp)
        member.compress_type = zipfile.ZIP_DEFLATED
        member.create_system, member.external_attr = 3, 0o644 << 16  # the same bytes whatever system writes them
        with zipfile.ZipFile(path, "w") as archive, archive.open(member, "w", force_zip64=True) as stream:
            yield stream
    else:
        with path.open("wb") as stream:
            yield stream
    os.utime(path, (modified, modified))


def write_csv(
    path: Path,
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    modified: float,
    *,
    legacy: bool = False,
    quoted: bool = False,
    bom: bool = False,
) -> Path:
    """Writes a monthly file.

    Args:
        path: Where to.
        header: Column names.
        rows: Fields as text.
        modified: Epoch seconds.
        legacy: Windows-1252, CRLF and a trailing blank line, instead of UTF-8 and LF.
        quoted: Quote all fields, not only those that need it.
        bom: Start with a UTF-8 byte order mark.
    """
    text = io.StringIO(newline="")
    end = "\r\n" if legacy else "\n"
    writer = csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL)
    writer.writerow(header)
    writer.writerows(rows)
    if legacy:
        text.write(end)
    encoding = CP1252 if legacy else "utf-8-sig" if bom else "utf-8"
    with new_file(path, modified) as stream:
        stream.write(text.getvalue().encode(encoding))
    return path


def write_staffing_header(stream: IO[bytes], quarter: Quarter) -> None:
    """Writes the header line of a staffing file."""
    stream.write(",".join(staffing_header(quarter)).encode(CP1252) + b"\n")


def write_staffing_block(
    stream: IO[bytes], world: World, quarter: Quarter, block: Block, dates: Sequence[date]
) -> None:
    """Writes a block's rows, by facility, then day. Windows-1252, LF."""
    facilities, days = block.census.shape
    leading = _binary([_facility_prefix(world, quarter, index) for index in block.facilities.tolist()])
    day_texts = _binary([f"{day:%Y%m%d}".encode() for day in dates])
    columns = [
        leading.take(pa.array(np.repeat(np.arange(facilities), days))),
        day_texts.take(pa.array(np.tile(np.arange(days), facilities))),
        _integers(block.census.reshape(-1)),
    ]
    for index in category_order(quarter):
        employee, contract = block.employee[index], block.contract[index]
        columns += [hours_text(cents.reshape(-1)) for cents in (employee + contract, employee, contract)]
    if has_incomplete_column(quarter):
        cut_off = (np.add.outer(block.facilities * days, np.arange(days)) % _ONE_IN == 0).reshape(-1)
        columns.append(_binary([b"1" if cut else b"" for cut in cut_off.tolist()]))
    lines = _join(_join(*columns, separator=b","), pa.scalar(b"\n", pa.binary()))
    # The values of a binary array lie back to back: its data buffer is the text of the rows.
    _, offsets, values = lines.buffers()
    stream.write(memoryview(values)[: np.frombuffer(offsets, dtype=np.int32)[len(lines)]])


def _facility_prefix(world: World, quarter: Quarter, index: int) -> bytes:
    """The columns before WorkDate, which are the same on all days."""
    fips = world.fips[index] if has_padded_fips(quarter) else world.fips[index].lstrip("0")
    place = {"CITY": world.city[index], "COUNTY_NAME": world.county[index], "COUNTY_FIPS": fips}
    place |= {column: "" for column, hidden in world.hidden.items() if hidden == index}
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(
        [
            *(world.ccn[index], world.name[index], place["CITY"], world.state[index]),
            *(place["COUNTY_NAME"], place["COUNTY_FIPS"], str(quarter)),
        ]
    )
    return text.getvalue().encode(CP1252)


def hours_text(cents: NDArray[np.int64]) -> Binaries:
    """Cents of hours as CMS writes hours: two decimals at most, no trailing zeros (``28.8``, ``0``, ``42.07``)."""
    if cents.size and int(cents.max()) < _CENTS_TABLE:
        return _cents_table().take(pa.array(cents))
    return _render(cents)


@cache
def _cents_table() -> Binaries:
    return _render(np.arange(_CENTS_TABLE, dtype=np.int64))


def _render(cents: NDArray[np.int64]) -> Binaries:
    fractions = _binary([f"{n / 100:.2f}"[1:].rstrip("0").rstrip(".").encode() for n in range(100)])
    return _join(_integers(cents // 100), fractions.take(pa.array(cents % 100)))


def _binary(values: list[bytes]) -> Binaries:
    return pa.array(values, pa.binary())


def _integers(values: NDArray[np.int64]) -> Binaries:
    return pa.array(values).cast(pa.string()).cast(pa.binary())


def _join(*columns: Binaries, separator: bytes = b"") -> Binaries:
    return pc.binary_join_element_wise(*columns, pa.scalar(separator, pa.binary()))
