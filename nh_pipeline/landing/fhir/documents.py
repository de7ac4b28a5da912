"""The JSON documents of a file: lines of NDJSON, or one document on as many lines as it likes.

What belongs here: telling what a file is by its beginning, and taking it apart. Not here: opening it
(:mod:`nh_pipeline.landing.json_files`), and what a document holds (:mod:`nh_pipeline.landing.fhir.reading`).
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import msgspec

from nh_pipeline.landing.json_files import CUT_OFF, START_BYTES
from nh_pipeline.landing.refused import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator


Kind = Literal["fhir", "told", "empty", "other"]

MAX_DOCUMENT = 512 * 1024**2
"""Bytes of a document at most: a Bundle is in memory at once."""

_BOM = b"\xef\xbb\xbf"
_RESOURCE = re.compile(rb'"resourceType"\s*:')
_BUNDLE = re.compile(rb'"resourceType"\s*:\s*"Bundle"')
_TOLD = re.compile(rb'"transactionTime"\s*:')
_INSTANT = Annotated[datetime, msgspec.Meta(tz=True)]


class Head(msgspec.Struct):
    """What every resource has."""

    resourceType: Annotated[str, msgspec.Meta(min_length=1)]  # noqa: N815
    id: Any = None


@dataclass(frozen=True, slots=True)
class Document:
    """A document.

    Attributes:
        line: on which it begins.
        content: its bytes.
        is_ended: whether a line end follows, so that it is not cut off.
        is_alone: whether it is all of its file.
    """

    line: int
    content: bytes
    is_ended: bool
    is_alone: bool

    @property
    def is_bundle(self) -> bool:
        """Whether it says so at its beginning."""
        return _BUNDLE.search(self.content, 0, START_BYTES) is not None


def kind(start: bytes) -> Kind:
    """What a file is, by its beginning: resources, a manifest or log of an export, nothing, or something else.

    An array of resources is told as if it could be read, so that it is refused in words that help.
    """
    start = start[:START_BYTES].removeprefix(_BOM).lstrip()
    if not start:
        return "empty"
    if start[:1] not in (b"{", b"["):
        return "other"
    try:
        first = msgspec.json.decode(start.partition(b"\n")[0])
    except (msgspec.DecodeError, RecursionError):
        return "fhir" if _RESOURCE.search(start) else "told" if _TOLD.search(start) else "other"
    one = first[0] if isinstance(first, list) and first else first
    if not isinstance(one, dict):
        return "fhir" if _RESOURCE.search(start) else "other"
    return "fhir" if "resourceType" in one else "told" if {"transactionTime", "exportId"} & one.keys() else "other"


def documents(file: io.BufferedReader, name: str) -> Iterator[Document]:
    """The documents of a file.

    It is NDJSON, unless its first line is the beginning of a document that all others go on with.

    Raises:
        Refused: It is an array, or a document is too long.
    """
    lines = _lines(file, name)
    first = next(lines, None)
    if first is None:
        return
    if first.content.startswith(b"["):
        raise _array(name)
    second = next(lines, None)
    if second is None:
        yield Document(first.line, first.content, first.is_ended, is_alone=True)
        return
    if _fault(first.content) == CUT_OFF and not _is_resource(second.content):
        rest = file.read(MAX_DOCUMENT)
        if len(rest) == MAX_DOCUMENT:
            raise _too_long(name)
        whole = Document(first.line, first.content + second.content + rest, is_ended=False, is_alone=True)
        if whole.is_bundle or not _fault(whole.content):
            yield whole
            return
        lines = _lines(io.BufferedReader(cast("io.RawIOBase", io.BytesIO(rest))), name, after=second.line)
    yield first
    yield second
    yield from lines


def _lines(file: io.BufferedReader, name: str, *, after: int = 0) -> Iterator[Document]:
    number = after
    while line := file.readline(MAX_DOCUMENT):
        if len(line) == MAX_DOCUMENT:
            raise _too_long(name)
        number += 1
        if number == 1:
            line = line.removeprefix(_BOM)
        if not line.isspace() and line:
            yield Document(number, line, line.endswith(b"\n"), is_alone=False)


def _fault(content: bytes) -> str:
    """Why it is no JSON; empty if it is."""
    try:
        msgspec.json.decode(content, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError) as error:
        return str(error)
    return ""


def _is_resource(line: bytes) -> bool:
    try:
        return bool(msgspec.json.decode(line, type=Head).resourceType)
    except (msgspec.MsgspecError, RecursionError):
        return False


@lru_cache(1024)
def _instant(written: str) -> datetime | None:
    try:
        return msgspec.convert(written, _INSTANT)
    except msgspec.ValidationError:
        return None


def instant(written: object) -> datetime | None:
    """A FHIR instant; None for all else, a date without a time or a time without a zone included."""
    return _instant(written) if isinstance(written, str) else None


def _array(name: str) -> Refused:
    return Refused(
        f"{name}: an array of resources",
        expected="a Bundle, or one resource in a line (NDJSON)",
        found="a JSON array",
        what_to_do="Write each resource as one line, without brackets and commas between them (jq -c '.[]').",
    )


def _too_long(name: str) -> Refused:
    return Refused(
        f"{name}: too long a document",
        expected=f"at most {MAX_DOCUMENT:,} bytes in a Bundle or line",
        found="more",
        what_to_do="Deliver the resources as NDJSON, a line each, or in several Bundles.",
    )
