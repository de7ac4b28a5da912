"""Releases of FHIR before R4: signs by which their resources are told.

What belongs here: what is certainly no R4 (nor later). Not here: what becomes of it
(:mod:`nh_pipeline.landing.fhir.survey`).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Sign = Callable[[dict[str, Any]], bool]

_RENAMED = {
    *("Conformance", "DataElement", "DiagnosticOrder", "EligibilityRequest", "MedicationOrder"),
    *("ProcedureRequest", "ReferralRequest"),
}
"""Types that R4 no longer has."""

_PROFILES = ("http://hl7.org/fhir/STU3/", "http://hl7.org/fhir/DSTU2/")


def _has_codes(found: object) -> bool:
    return isinstance(found, list) and any(isinstance(one, dict) and "coding" in one for one in found)


_SIGNS: dict[str, Sign] = {
    # Of R4, status is a concept; reasonCode holds codes, and R5's reason has them one level deeper.
    "AllergyIntolerance": lambda resource: isinstance(resource.get("clinicalStatus"), str),
    "Condition": lambda resource: isinstance(resource.get("clinicalStatus"), str),
    "Encounter": lambda resource: _has_codes(resource.get("reason")),
    "Immunization": lambda resource: "notGiven" in resource or "wasNotGiven" in resource,
    "Patient": lambda resource: "animal" in resource,
    "Procedure": lambda resource: "notDone" in resource or "notPerformed" in resource,
    "CapabilityStatement": lambda resource: str(resource.get("fhirVersion")).startswith(("1.", "3.")),
}


class Older:
    """Counts signs of older releases; one resource alone may be a mistake of its own."""

    def __init__(self) -> None:
        self._seen, self._signs = Counter[str](), Counter[str]()

    def look(self, resource: dict[str, Any]) -> None:
        """Counts a resource."""
        of = resource["resourceType"]
        meta = resource.get("meta")
        profiles = meta.get("profile") if isinstance(meta, dict) else None
        if not (sign := _SIGNS.get(of)) and not profiles and of not in _RENAMED:
            return
        self._seen[of] += 1
        said = isinstance(profiles, list) and any(str(one).startswith(_PROFILES) for one in profiles)
        self._signs[of] += bool(said or of in _RENAMED or (sign and sign(resource)))

    @property
    def types(self) -> list[str]:
        """Types most of whose resources are of an older release."""
        return sorted(of for of, signs in self._signs.items() if 2 * signs > self._seen[of])
