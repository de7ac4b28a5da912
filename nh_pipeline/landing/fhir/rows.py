"""The views, compiled: which elements of a resource are rows of which tables.

What belongs here: one resource's rows. Not here: the tables' batches (:mod:`nh_pipeline.landing.fhir.extract`), and
what columns make of elements (:mod:`nh_pipeline.landing.fhir.fields`).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from nh_pipeline.datasets.clinical import VIEWS
from nh_pipeline.landing.fhir.fields import compiled
from nh_pipeline.landing.fhir.paths import Path, element, parse, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nh_pipeline.landing.fhir.fields import Element, Scope
    from nh_pipeline.landing.fhir.found import Item
    from nh_pipeline.landing.fhir.paths import Find
    from nh_pipeline.model.view import View

Row = tuple[Any, str, "str | None", list[Any]]
"""A row: its table, its resource, its patient; its index, if it has one, and its fields."""

IDENTIFIED = (
    "Endpoint",
    "HealthcareService",
    "InsurancePlan",
    "Location",
    "Organization",
    "OrganizationAffiliation",
    "Practitioner",
    "PractitionerRole",
)
"""Types whose identifiers are looked up, and are not protected."""

_PATIENT = ("Patient",)
_GUESSED = [parse(path).first(element) for path in ("subject", "patient", "beneficiary")]
"""Where resources of types that no view is of have their patients."""


def patient_of(item: Item) -> str | None:
    """The patient that a resource belongs to, where the file itself tells."""
    return item.resource_id if item.resource_type == "Patient" else _patient(item, item.resource)


def _patient(item: Item, resource: Element) -> str | None:
    for find in _PATIENTS.get(resource["resourceType"], _GUESSED):
        if (reference := find(resource)) is not None:
            return item.references.resolve(reference, _PATIENT, item.resource_id).id
    return None


def rows_of(item: Item, patient: str | None) -> Iterator[Row]:
    """The rows that a resource is, and those of the resources in it."""
    for view in _BY_TYPE.get(item.resource_type, ()):
        yield from view.rows(item, patient)
    if "contained" in item.resource:
        for view in _CONTAINED:
            yield from view.contained(item, patient)


class _View:
    """A view, compiled."""

    def __init__(self, view: View) -> None:
        self.table, self.types = view.table, (view.resource,) if view.resource else IDENTIFIED
        self._fill = compiled(view.fields)
        self._elements = [_elements(path) for path in view.for_each or ("$this",)]
        self._is_numbered, self._first = bool(view.index), int("$this" not in (view.for_each or ("$this",)))
        names = [column.name for field in view.fields for column in field.columns]
        self._one_of = [names.index(name) for name in view.only_with]

    def rows(self, item: Item, patient: str | None) -> Iterator[Row]:
        resource, number = item.resource, self._first
        resolve = partial(item.references.resolve, owner=item.resource_id)
        for elements in self._elements:
            for scope in elements(resource):
                values = self._fill(scope, resolve)
                if not self._one_of or any(values[place] is not None for place in self._one_of):
                    yield self.table, item.resource_id, patient, [number, *values] if self._is_numbered else values
                number += 1

    def contained(self, item: Item, patient: str | None) -> Iterator[Row]:
        within = item.resource["contained"]
        resolve = partial(item.references.resolve, owner=item.resource_id)
        for number, inner in enumerate(within if type(within) is list else (), 1):
            if type(inner) is dict and inner.get("resourceType") in self.types:
                name = f"{item.resource_id}#{text(inner.get('id')) or number}"
                values = self._fill((inner, inner, item.resource), resolve)
                yield self.table, name, _patient(item, inner) or patient, [number, *values]


def _elements(written: str) -> Callable[[Element], list[Scope]]:
    """What a path of ``for_each`` finds in a resource, each with what it lies in."""
    steps = parse(written).steps
    if not steps:
        return lambda resource: [(resource, resource, resource)]
    parents, own = Path("", 0, steps[:-1]).every, Path("", 0, steps[-1:]).every
    return lambda resource: [
        (one, resource, parent) for parent in parents(resource) for one in own(parent) if type(one) is dict
    ]


def _patients() -> dict[str, list[Find]]:
    """Where resources have their patients: by what the views of their types say."""
    return {
        view.resource: [parse(view.patient).first(element)] if view.patient else [] for view in VIEWS if view.resource
    }


_PATIENTS = _patients()
_VIEWS = [(_View(view), view.contained) for view in VIEWS]
_CONTAINED = [view for view, contained in _VIEWS if contained]
_BY_TYPE = {of: [view for view, _ in _VIEWS if of in view.types] for view, _ in _VIEWS for of in view.types}
