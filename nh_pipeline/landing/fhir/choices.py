"""Choice elements: of ``value[x]`` and the like, a resource has one at most, and its name says the type.

What belongs here: which type a choice element has, and resources that have two. Not here: paths to one of a type
(:mod:`nh_pipeline.landing.fhir.paths`).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from nh_pipeline.datasets.clinical import VIEWS
from nh_pipeline.landing.fhir.paths import Name, Path, choice_key, parse

if TYPE_CHECKING:
    from collections.abc import Callable

TYPES = (
    "base64Binary", "boolean", "canonical", "code", "date", "dateTime", "decimal", "id", "instant", "integer",
    "integer64", "markdown", "oid", "positiveInt", "string", "time", "unsignedInt", "uri", "url", "uuid",
    "Address", "Age", "Annotation", "Attachment", "CodeableConcept", "CodeableReference", "Coding",
    "ContactDetail", "ContactPoint", "Count", "DataRequirement", "Distance", "Dosage", "Duration", "Expression",
    "HumanName", "Identifier", "Meta", "Money", "ParameterDefinition", "Period", "Quantity", "Range", "Ratio",
    "RatioRange", "Reference", "RelatedArtifact", "SampledData", "Signature", "Timing", "TriggerDefinition",
    "UsageContext")  # fmt: skip
"""What a choice element may be, of FHIR's R4 and R5."""


@cache
def keys(name: str) -> dict[str, str]:
    """The types of a choice element by what it is called then: ``valueQuantity``."""
    return {choice_key(name, of): of for of in TYPES}


def type_of(name: str) -> Callable[[Any], str | None]:
    """Which type the choice element of a name has."""
    types = keys(name)

    def find(element: Any) -> str | None:
        found = types.keys() & element.keys() if type(element) is dict else ()
        return types[min(found)] if found else None

    return find


@cache
def _choices(resource_type: str) -> tuple[tuple[Path, str], ...]:
    """The choice elements that views ask for, with the path of what they are in."""
    found: dict[tuple[tuple[str, ...], str], None] = {}
    for view in VIEWS:
        if view.resource != resource_type:
            continue
        for path in (parse(path) for field in view.fields for path in field.paths):
            for place in [()] if path.root else [parse(each).steps for each in view.for_each] or [()]:
                names = tuple(step.name for step in place if isinstance(step, Name))
                found.update(dict.fromkeys(((*names, *within), name) for within, name in path.choices))
    return tuple((Path("", 0, tuple(map(Name, names))), name) for names, name in found)


def several(resource: dict[str, Any]) -> str | None:
    """The names of a choice element that a resource has with two types or more, of those that views ask for."""
    for path, name in _choices(resource["resourceType"]):
        types = keys(name).keys()
        for element in path.every(resource):
            if type(element) is dict and len(found := types & element.keys()) > 1:
                return ", ".join(sorted(found))
    return None
