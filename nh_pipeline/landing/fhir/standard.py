"""The views as ViewDefinitions of SQL on FHIR v2, so that other programs can run them.

What belongs here: their form in that standard. Not here: running them, which is :mod:`nh_pipeline.landing.fhir.rows`'s.

A ViewDefinition gives of a resource what bronze has of it, with these exceptions, which the standard has no words for:

- Columns of the delivery, ``content_md5``, the number of an element, the kind of a reference and all codings of a
  concept are left out; ``version_at`` is ``last_updated`` here, which may be missing.
- Of several codings of no preferred system it takes the first, where bronze takes the least.
- A reference has the key that the program makes of it, where several types are allowed of any type; what is looked up,
  or means a resource of the same Bundle or within the same resource, is left to the program.
- Coverages within other resources are no rows.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from nh_pipeline.datasets.clinical import VIEWS
from nh_pipeline.landing.fhir.paths import ROOTS, parse
from nh_pipeline.landing.fhir.rows import IDENTIFIED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from nh_pipeline.model.view import Field, View

    Json = dict[str, Any]

TYPE = "https://sql-on-fhir.org/ig/StructureDefinition/ViewDefinition"

_WHERE = re.compile(r"where\(([\w.]+) = '([^']*)'\)")
_EXTENSION = re.compile(r"extension\('([^']*)'\)")  # some programs take the first one alone
_CONCEPT = ("system", "code", "display", "text")
_OWN, _OF_THE_RESOURCE, _OF_THE_PARENT = range(len(ROOTS))


def view_definitions() -> list[Json]:
    """All views; one that is of several types is a view for each of them."""
    single = [view_definition(view, view.resource, view.name) for view in VIEWS if view.resource]
    several = [
        view_definition(view, of, f"{view.name}_{of.lower()}")
        for view in VIEWS
        if not view.resource
        for of in IDENTIFIED
    ]
    return single + several


def view_definition(view: View, of: str, name: str) -> Json:
    """A view of the resources of a type."""
    patient = {"": "{}", "$this": "getResourceKey()"}.get(view.patient, f"{view.patient}.getReferenceKey(Patient)")
    known = {
        "resource_id": "getResourceKey()",
        "version_id": "meta.versionId",
        "last_updated": "meta.lastUpdated",
        "patient_id": patient,
    }
    top = [_column(column, path, "") for column, path in known.items()]
    fields = {
        root: [field for field in view.fields if parse(field.paths[0]).root == root] for root in range(len(ROOTS))
    }
    top += _columns(fields[_OF_THE_RESOURCE], of)
    if view.for_each:
        rows = [_rows(path, fields, of, view) for path in view.for_each]
        select = [{"column": top}, rows[0] if len(rows) == 1 else {"unionAll": rows}]
    else:
        select = [{"column": top + _columns(fields[_OWN], of)}]
    return {
        "resourceType": TYPE,
        "name": name,
        "title": view.description,
        "status": "active",
        "resource": of,
        "select": select,
    }


def _rows(path: str, fields: dict[int, list[Field]], of: str, view: View) -> Json:
    """The elements of a path as rows."""
    above, _, last = fhirpath(path).rpartition(".")
    if view.only_with:
        told = (fhirpath(one) for field in view.fields if field.name in view.only_with for one in field.paths)
        exist = " or ".join(f"{one}.exists()" for one in told)
        last = f"where({exist})" if path == "$this" else f"{last}.where({exist})"
    own, parents = _columns(fields[_OWN], of), _columns(fields[_OF_THE_PARENT], of)
    if above and parents:
        return {"forEach": above, "column": parents, "select": [{"forEach": last, "column": own}]}
    nothing = [{**column, "path": "{}"} for column in parents]  # what a resource has in place of an element above
    return {"forEach": ".".join(filter(None, (above, last))), "column": [*nothing, *own]}


def fhirpath(written: str) -> str:
    """A path of a view in the words of FHIRPath, from the element that it starts from."""
    for root in ROOTS[1:]:
        written = written.removeprefix(f"{root}.")
    return _EXTENSION.sub(r"extension.where(url = '\1')", _WHERE.sub(_where, written))


def _where(found: re.Match[str]) -> str:
    path, text = found.groups()
    literal = text if text.isdecimal() or text in ("true", "false") else f"'{text}'"
    # Of several, any one may be it; FHIRPath's = compares all of them.
    held = f"{path}.where($this = {literal}).exists()" if "." in path else f"{path} = {literal}"
    return f"where({held})"


def _columns(fields: Iterable[Field], of: str) -> list[Json]:
    return [_column(name, path, field.description) for field in fields for name, path in _parts(field, of)]


def _column(name: str, path: str, description: str) -> Json:
    return {"name": name, "path": path, **({"description": description} if description else {})}


def _parts(field: Field, of: str) -> list[tuple[str, str]]:
    if field.paths == ("%resource.resourceType",):
        return [(field.name, f"'{of}'")]
    paths = [fhirpath(path) for path in field.paths]
    if field.form == "concept":
        taken = {part: partial(_coding, part=part, prefers=field.prefers) for part in _CONCEPT}
    elif field.form == "reference":
        key = f"getReferenceKey({field.to[0] if len(field.to) == 1 else ''})"
        said = {"ref": "reference", "id": key, "display": "display"}
        taken = {part: partial(_then, then=f"first().{said[part]}") for part, _ in field.parts if part in said}
    else:
        last = {"value": "first()", "count": "count()", "choice": "type().name"}[field.form]
        taken = {"": partial(_then, then=last)}
    return [("_".join(filter(None, (field.name, part))), _else(paths, one)) for part, one in taken.items()]


def _then(path: str, then: str) -> str:
    return f"{path}.{then}"


def _else(paths: Sequence[str], taken: Callable[[str], str]) -> str:
    """What is taken of the first path that finds something."""
    first, *others = paths
    return f"iif({first}.exists(), {taken(first)}, {_else(others, taken)})" if others else taken(first)


def _coding(path: str, part: str, prefers: Sequence[str]) -> str:
    """A part of the coding that is preferred, or the text of its concept."""
    if not prefers:
        return f"{path}.first().text" if part == "text" else f"{path}.coding.first().{part}"
    of_system = f"where(system = '{prefers[0]}')"
    preferred = (
        f"{path}.where(coding.{of_system}.exists()).first().text"
        if part == "text"
        else f"{path}.coding.{of_system}.first().{part}"
    )
    return f"iif({path}.coding.{of_system}.exists(), {preferred}, {_coding(path, part, prefers[1:])})"
