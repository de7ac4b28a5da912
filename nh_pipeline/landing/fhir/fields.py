"""The fields of views, compiled to functions that make the values of their columns.

What belongs here: what a column makes of what its paths find. Not here: which elements are rows
(:mod:`nh_pipeline.landing.fhir.rows`).
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import msgspec

from nh_pipeline.landing.fhir import choices
from nh_pipeline.landing.fhir.paths import Name, Path, element, parse, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from nh_pipeline.landing.fhir.paths import Find
    from nh_pipeline.landing.fhir.references import Reference
    from nh_pipeline.model.view import Field

    Element = dict[str, Any]
    Scope = tuple[Element, Element, Element]
    """An element, its resource, and what it lies in: where paths start from."""
    Resolve = Callable[[Element | None, tuple[str, ...]], Reference]
    Fill = Callable[[Scope, Resolve], Sequence[Any]]

_NO_CONCEPT = (None,) * 5


def compiled(fields: Iterable[Field]) -> Callable[[Scope, Resolve], list[Any]]:
    """The function that makes the values of the columns of fields, in order."""
    fills: list[Fill] = []
    for plain, some in groupby(fields, lambda field: field.form in ("value", "choice", "count")):
        if plain:
            fills += [_values(root, [_value(field) for field in group]) for root, group in groupby(some, _root)]
        else:
            fills += [(_concept if field.form == "concept" else _reference)(field) for field in some]

    def fill(scope: Scope, resolve: Resolve) -> list[Any]:
        values: list[Any] = []
        for some in fills:
            values += some(scope, resolve)
        return values

    return fill


def _paths(field: Field) -> list[Path]:
    return [parse(path) for path in field.paths]


def _root(field: Field) -> int:
    roots = {path.root for path in _paths(field)}
    if len(roots) != 1:
        raise ValueError(f"{field.name}: its paths start from different elements")
    return roots.pop()


def _values(root: int, finds: list[Find]) -> Fill:
    return lambda scope, _: [find(scope[root]) for find in finds]


def _value(field: Field) -> Find:
    paths = _paths(field)
    if field.form == "count":
        every = paths[0].every
        return lambda parent: len(every(parent))
    if field.form == "choice":
        *before, last = paths[0].steps
        if not isinstance(last, Name):
            raise ValueError(f"{field.name}: its path ends in no name")
        return Path("", 0, tuple(before)).first(choices.type_of(last.name))
    return _first([path.first(text) for path in paths])


def _first(finds: list[Find]) -> Find:
    if len(finds) == 1:
        return finds[0]

    def find(parent: Any) -> Any:
        for one in finds:
            if (found := one(parent)) is not None:
                return found
        return None

    return find


def _reference(field: Field) -> Fill:
    root, find, to, width = _root(field), _first([p.first(element) for p in _paths(field)]), field.to, len(field.parts)
    return lambda scope, resolve: resolve(find(scope[root]), to)[:width]


def _concept(field: Field) -> Fill:
    root, ranks = _root(field), {system: rank for rank, system in enumerate(field.prefers)}
    finds = [path.every for path in _paths(field)]

    def fill(scope: Scope, _: Resolve) -> tuple[str | None, ...]:
        for every in finds:
            if found := every(scope[root]):
                return _chosen([one for one in found if type(one) is dict], ranks)
        return _NO_CONCEPT

    return fill


def _chosen(concepts: list[Element], ranks: dict[str, int]) -> tuple[str | None, ...]:
    """Of the codings of concepts, one of the system that is preferred, else of the least system and code.

    In which order a server gives them says nothing, and another export may have another one.
    """
    found = [(coding, concept) for concept in concepts for coding in _codings(concept)]
    if not found:
        return (None, None, None, text(concepts[0].get("text")), None) if concepts else _NO_CONCEPT
    coding, concept = found[0] if len(found) == 1 else min(found, key=lambda pair: _order(pair[0], ranks))
    several = msgspec.json.encode([one for one, _ in found]).decode() if len(found) > 1 else None
    read = coding.get
    return text(read("system")), text(read("code")), text(read("display")), text(concept.get("text")), several


def _codings(concept: Element) -> list[Element]:
    found = concept.get("coding")
    if found is None:
        return [concept] if "code" in concept else []  # a Coding itself
    return (
        [one for one in found if type(one) is dict] if type(found) is list else [found] if type(found) is dict else []
    )


def _order(coding: Element, ranks: dict[str, int]) -> tuple[bool, int, str, str]:
    system, code = text(coding.get("system")) or "", text(coding.get("code"))
    return code is None, ranks.get(system, len(ranks)), system, code or ""
