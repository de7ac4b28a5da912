"""The resources of a delivery, one by one: NDJSON, Bundles, gzip and zip archives of either.

What belongs here: where a resource stands, its id, and what is no resource. Not here: what a file as a whole must be
(:mod:`nh_pipeline.landing.fhir.survey`), and rows (:mod:`nh_pipeline.landing.fhir.extract`).

A Bundle is one document, in memory at once; NDJSON is read by lines. A resource stands at its line, or at the place of
its entry, from 1; behind a line that is a Bundle, the count goes on by its entries.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from nh_pipeline.landing import archive, unpacking
from nh_pipeline.landing.fhir import documents
from nh_pipeline.landing.fhir.choices import several
from nh_pipeline.landing.fhir.documents import Head, instant
from nh_pipeline.landing.fhir.found import NO_ENTRY, Bundle, Deleted, Entry, Item, Rejected
from nh_pipeline.landing.fhir.paths import text
from nh_pipeline.landing.fhir.references import References
from nh_pipeline.landing.fhir.told import Told, told
from nh_pipeline.landing.json_files import CUT_OFF, START_BYTES, member, opened
from nh_pipeline.landing.refused import Refused
from nh_pipeline.model.view import UNNAMED

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterator
    from io import BufferedReader

    from nh_pipeline.landing.fhir.documents import Document
    from nh_pipeline.landing.fhir.found import Found

_POSITION = re.compile(r" \(byte ([0-9]+)\)")
_DELETED = re.compile(r"(?:.*/)?([A-Z][A-Za-z]*)/([^/?#]+)(?:/_history/[^/]+)?")
_URN = re.compile(r"urn:(?:uuid|oid):(.+)")
_NO_RESOURCE = (b"", b"null")
_WRITTEN = "Export it again, one resource in a line of JSON (NDJSON) or in an entry of a Bundle."

_RESOURCE = msgspec.json.Decoder(dict[str, Any], float_hook=str)
_HEAD = msgspec.json.Decoder(Head)
_BUNDLE = msgspec.json.Decoder(Bundle)


@dataclass
class Reading:
    """Reads one delivery.

    Attributes:
        stream: the delivery; seekable, it stays open.
        name: of it, for messages.
        bases: addresses of the server that it is from, by which absolute references are its own.
        source: the system that it is from.
        limited: whether it may only unpack to so much.
        size: bytes read so far, unpacked.
        formats: of its files so far: ``bundle``, ``ndjson``.
        members: the files in the archive that were read so far.
        told: what manifests and logs in it say.
    """

    stream: BinaryIO
    name: str
    bases: Collection[str] = ()
    source: str = UNNAMED
    limited: bool = True
    size: int = 0
    formats: set[str] = field(default_factory=set)
    members: list[str] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)

    def __iter__(self) -> Iterator[Found]:
        """Reads all of it.

        Raises:
            Refused: It is damaged, encrypted or unpacks to too much, or a Bundle in it is invalid.
        """
        self.stream.seek(0)
        if archive.kind(self.stream.read(4)) != "zip":
            with opened(self.stream, self.name, limited=self.limited) as file:
                yield from self._file("", file)
            return
        for part in unpacking.parts(self.stream, self.name, limited=self.limited):
            if part.litter:
                continue
            path = f"{self.name}/{part.path}"
            with member(part, path, limited=self.limited) as file:
                kind = documents.kind(file.peek(START_BYTES))
                if kind == "fhir":
                    self.members.append(part.path)
                    yield from self._file(part.path, file)
                elif kind == "told":
                    self.told.append(told(file, path))

    def _file(self, member: str, file: BufferedReader) -> Iterator[Found]:
        name = f"{self.name}/{member}" if member else self.name
        references, beyond = References(bases=self.bases, source=self.source), 0
        for document in documents.documents(file, name):
            self.size += len(document.content)
            at = (member, document.line + beyond)
            try:
                read = _read(document.content)
            except (msgspec.MsgspecError, RecursionError) as error:
                if document.is_alone and document.is_bundle:
                    raise _invalid(name, error) from error
                yield _unparsed(at, document, error)
                continue
            self.formats.add("bundle" if isinstance(read, Bundle) else "ndjson")
            if isinstance(read, Bundle):
                try:
                    beyond += (yield from self._bundle(at, read)) - 1
                except msgspec.DecodeError as error:
                    raise _invalid(name, error) from error
            else:
                yield _item(at, read, msgspec.json.format(document.content, indent=-1), references)

    def _bundle(self, at: tuple[str, int], bundle: Bundle, *, nested: bool = False) -> Generator[Found, None, int]:
        """What is in its entries; those of a Bundle in it are taken, too.

        Returns:
            How many places they take.

        Raises:
            msgspec.DecodeError: One of them is no valid JSON.
        """
        heads = [_head(entry.resource) for entry in bundle.entry or ()]
        entries = list(zip(bundle.entry or (), heads, strict=True))
        own = {
            entry.fullUrl: (head.resourceType, _id(head.id, entry)) for entry, head in entries if entry.fullUrl and head
        }
        references, (member, line) = References(own, self.bases, self.source), at
        for entry, head in entries:
            places = 1
            if entry.request and entry.request.method == "DELETE":
                yield _deleted((member, line), entry, bundle, references)
            elif head and head.resourceType == "Bundle" and not nested:
                places = yield from self._bundle((member, line), _BUNDLE.decode(entry.resource), nested=True)
            elif head and not head.resourceType:
                yield Rejected(member, line, "parse", "expected a resource with resourceType, found none", _WRITTEN)
            elif head:
                content = msgspec.json.format(entry.resource, indent=-1)
                try:
                    resource = _RESOURCE.decode(content)
                except (msgspec.ValidationError, RecursionError) as error:
                    yield _unparsed((member, line), None, error)
                else:
                    yield _item((member, line), resource, content, references, entry=entry, bundle_type=bundle.type)
            line += places
        return max(line - at[1], 1)


def _read(content: bytes) -> Bundle | dict[str, Any]:
    if _HEAD.decode(content).resourceType == "Bundle":
        return _BUNDLE.decode(content)
    return _RESOURCE.decode(content)


def _head(resource: msgspec.Raw) -> Head | None:
    """Its type and id, as far as it says them; None if there is no resource."""
    if bytes(resource) in _NO_RESOURCE:
        return None
    try:
        return _HEAD.decode(resource)
    except msgspec.ValidationError:
        return Head("")


def _id(written: object, entry: Entry) -> str | None:
    urn = _URN.fullmatch(entry.fullUrl or "")
    return text(written) or (urn[1] if urn else None)


def _item(
    at: tuple[str, int],
    resource: dict[str, Any],
    content: bytes,
    references: References,
    *,
    entry: Entry = NO_ENTRY,
    bundle_type: str | None = None,
) -> Item | Rejected:
    resource_id = _id(resource.get("id"), entry)
    if resource_id is None and resource["resourceType"] == "OperationOutcome":
        resource_id = hashlib.md5(content, usedforsecurity=False).hexdigest()  # a server's report, which has no id
    if resource_id is None:
        reason = "expected an id, found none, nor a uuid as the entry's fullUrl"
        return Rejected(*at, "resource", reason, "Export resources with their ids.")
    if twice := several(resource):
        reason = f"several values: expected one of a choice of types, found {twice}"
        return Rejected(*at, "resource", reason, "Leave the one that holds.")
    own = references.own(resource_id)
    return Item(*at, resource["resourceType"], own, resource, content, references, entry, bundle_type)


def _deleted(at: tuple[str, int], entry: Entry, bundle: Bundle, references: References) -> Deleted | Rejected:
    found = _DELETED.fullmatch((entry.request and entry.request.url) or entry.fullUrl or "")
    if found is None:
        reason = "expected Type/id of what is deleted, found another address"
        return Rejected(*at, "resource", reason, "Delete by id, not by a search.")
    said = [entry.response and entry.response.lastModified, bundle.meta and bundle.meta.lastUpdated]
    return Deleted(
        *at, found[1], references.own(found[2]), next((known for one in said if (known := instant(one))), None)
    )


def _unparsed(at: tuple[str, int], document: Document | None, error: Exception) -> Rejected:
    """Of an error, the byte and its kind: what msgspec says holds no value of the document."""
    said = _said(error)
    position = _POSITION.search(said)
    return Rejected(
        *at,
        "parse",
        f"expected a FHIR resource in JSON, found: {_POSITION.sub('', said)}",
        _WRITTEN,
        position[1] if position else None,
        is_cut_off=said == CUT_OFF and document is not None and not document.is_ended,
    )


def _said(error: Exception) -> str:
    return "JSON is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _invalid(name: str, error: Exception) -> Refused:
    return Refused(
        f"{name}: an invalid Bundle",
        expected="a Bundle in JSON, complete and valid",
        found=_said(error),
        what_to_do="Deliver it again; the upload may have been cut off. Nothing of it is taken: a Bundle is one whole.",
    )
