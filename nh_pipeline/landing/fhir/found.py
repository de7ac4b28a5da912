"""What is found in a delivery: resources, what is deleted, and what is refused.

What belongs here: these, and the entries of Bundles that they are in. Not here: finding them
(:mod:`nh_pipeline.landing.fhir.reading`).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from nh_pipeline.landing.fhir.documents import instant

if TYPE_CHECKING:
    from datetime import datetime

    from nh_pipeline.landing.fhir.references import References

_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")


class Request(msgspec.Struct):
    """What a transaction or history says of an entry."""

    method: str | None = None
    url: str | None = None
    ifNoneExist: str | None = None  # noqa: N815


class Response(msgspec.Struct):
    """What a history says of a version."""

    lastModified: str | None = None  # noqa: N815


class Entry(msgspec.Struct):
    """An entry of a Bundle."""

    fullUrl: str | None = None  # noqa: N815
    resource: msgspec.Raw = msgspec.Raw()
    request: Request | None = None
    response: Response | None = None


class Meta(msgspec.Struct):
    """What is known of a Bundle's version."""

    lastUpdated: str | None = None  # noqa: N815


class Bundle(msgspec.Struct):
    """A Bundle."""

    type: str | None = None
    meta: Meta | None = None
    entry: list[Entry] | None = None


NO_ENTRY = Entry()


@dataclass(frozen=True, slots=True)
class Item:
    """A resource, and where it stands.

    Attributes:
        member: the file in the archive; empty if the delivery is none.
        line: of the NDJSON, or place of the entry, from 1.
        resource_type: Resource.resourceType.
        resource_id: Resource.id; if it has none, the uuid of its fullUrl; the name of its source is before it.
        resource: decoded; its decimals are text as written.
        content: its JSON without blanks between tokens, all else as delivered.
        references: what its references mean.
        entry: of the Bundle; an empty one if it is of none.
        bundle_type: Bundle.type.
    """

    member: str
    line: int
    resource_type: str
    resource_id: str
    resource: dict[str, Any]
    content: bytes
    references: References
    entry: Entry = NO_ENTRY
    bundle_type: str | None = None

    @property
    def last_updated(self) -> datetime | None:
        """Resource.meta.lastUpdated, if it is an instant."""
        meta = self.resource.get("meta")
        return instant(meta.get("lastUpdated")) if type(meta) is dict else None

    @property
    def md5(self) -> bytes:
        """Of its content."""
        return hashlib.md5(self.content, usedforsecurity=False).digest()

    @property
    def has_valid_id(self) -> bool:
        """Whether its id is one that FHIR allows."""
        return _ID.fullmatch(self.resource_id) is not None


@dataclass(frozen=True, slots=True)
class Deleted:
    """A resource that the delivery says is deleted, and when, if it says that too."""

    member: str
    line: int
    resource_type: str
    resource_id: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line or entry that is not taken, and why: never what it holds.

    Attributes:
        stage: ``parse`` if it is no resource, ``resource`` if it breaks a rule of FHIR.
        position: byte of the line at which the reader stopped.
        is_cut_off: whether it is the last line, and ends before it is complete.
    """

    member: str
    line: int
    stage: str
    reason: str
    what_to_do: str
    position: str | None = None
    is_cut_off: bool = False


Found = Item | Deleted | Rejected
