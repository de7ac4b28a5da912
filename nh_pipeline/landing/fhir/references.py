"""What references say: of which kind they are, and which resource they mean, as far as the file itself tells.

What belongs here: reading a reference. Not here: looking up what only all deliveries together tell (conditional and
logical ones), which silver does.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from nh_pipeline.model.view import UNNAMED

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_RELATIVE = re.compile(r"([A-Za-z]+)/([^/?#|]+)(?:/_history/[^/]+)?")
_ABSOLUTE = re.compile(r"(https?://.+?)/([A-Za-z]+)/([^/?#|]+)(?:/_history/[^/]+)?")
_CONDITIONAL = re.compile(r"([A-Za-z]+)\?(.+)", re.DOTALL)
_URN = re.compile(r"urn:(?:uuid|oid):(.+)")

_KNOWN = 50_000
"""Of references that were read, so many are remembered: most occur again soon."""


PEOPLE = ("Patient", "RelatedPerson", "Person")
"""Types of which nothing is taken but ids: no name, and no number, which may be that of the social security."""


def _shown(reference: str, resource_type: str) -> str:
    """A reference by an identifier; of people, the system of the identifier alone."""
    return reference.partition("|")[0] if resource_type in PEOPLE else reference


class Reference(NamedTuple):
    """A reference, read.

    Attributes:
        ref: as written, decoded if it is conditional; of a logical one ``Type?identifier=system|value``.
        kind: relative, urn, absolute, conditional, logical, contained, display, unsupported, or none.
        id: of the resource, if the file itself tells.
        display: its text for people.
    """

    ref: str | None
    kind: str
    id: str | None
    display: str | None


NONE = Reference(None, "none", None, None)


class _Target(NamedTuple):
    ref: str
    kind: str
    type: str | None
    id: str | None


class References:
    """The references of the resources of one Bundle, or of files of resources.

    Args:
        entries: type and id of each resource by its fullUrl; None if it is no Bundle, where a uuid is itself an id.
        bases: addresses of the server that the resources are from: what follows them is an id of its own.
        source: the system that they are from: ids are those of its own resources, and what is looked up is, too.
    """

    def __init__(
        self,
        entries: Mapping[str, tuple[str, str | None]] | None = None,
        bases: Collection[str] = (),
        source: str = UNNAMED,
    ) -> None:
        self._prefix, self._within = (f"{source}:", f"&_source={source}") if source != UNNAMED else ("", "")
        self._entries = entries
        self._bases = {base.rstrip("/") for base in bases}
        for url in entries or ():
            if found := _ABSOLUTE.fullmatch(url):
                self._bases.add(found[1])
        self._known: dict[str, _Target] = {}

    def own(self, of_id: str) -> str:
        """An id of the source, as it is one among those of all."""
        return self._prefix + of_id

    def resolve(self, reference: dict[str, Any] | None, to: tuple[str, ...], owner: str) -> Reference:
        """Reads a reference.

        Args:
            reference: the element; None if there is none.
            to: types that it may lead to; any, if none is given.
            owner: id of the resource that it is in, in which contained ones lie.
        """
        if reference is None:
            return NONE
        written, display = reference.get("reference"), reference.get("display")
        display = display if type(display) is str else None
        if type(written) is not str or not written:
            return self._without(reference, display, to)
        if written[0] == "#":
            return Reference(written, "contained", owner + written, display)
        target = self._known.get(written) or self._target(written)
        if target.type in PEOPLE:
            display = None
        if target.kind == "unsupported" or (to and target.type is not None and target.type not in to):
            return Reference(target.ref, "unsupported", None, display)
        return Reference(target.ref, target.kind, target.id, display)

    def _target(self, written: str) -> _Target:
        if len(self._known) == _KNOWN:
            self._known.clear()  # a file of a million patients has a million of them
        target = self._known[written] = self._read(written)
        return target

    def _read(self, written: str) -> _Target:
        if self._entries and (entry := self._entries.get(written)):
            of, of_id = entry
            kind = "urn" if written.startswith("urn:") else "absolute"
            return _Target(written, kind, of, None if of_id is None else self.own(of_id))
        if found := _URN.fullmatch(written):
            return _Target(written, "urn", None, self.own(found[1]) if self._entries is None else None)
        if found := _RELATIVE.fullmatch(written):
            own = self.own(found[2])
            return _Target(f"{found[1]}/{own}" if self._prefix else written, "relative", found[1], own)
        if found := _ABSOLUTE.fullmatch(written):
            return _Target(written, "absolute", found[2], self.own(found[3]) if found[1] in self._bases else None)
        decoded = unquote(written)
        if found := _CONDITIONAL.fullmatch(decoded):
            return _Target(_shown(decoded, found[1]) + self._within, "conditional", found[1], None)
        return _Target(written, "unsupported", None, None)

    def _without(self, reference: dict[str, Any], display: str | None, to: tuple[str, ...]) -> Reference:
        identifier = reference.get("identifier")
        if type(identifier) is dict and type(value := identifier.get("value")) is str:
            said = reference.get("type")
            of = said.rpartition("/")[2] if type(said) is str else to[0] if len(to) == 1 else ""
            ref = _shown(f"{of}?identifier={identifier.get('system') or ''}|{value}", of) + self._within
            display = None if of in PEOPLE else display
            if of and to and of not in to:
                return Reference(ref, "unsupported", None, display)
            return Reference(ref, "logical", None, display)
        return NONE if display is None else Reference(None, "display", None, display)
