"""Observations: what of the FHIR resource is a row of bronze, and each of its values."""

from __future__ import annotations

from nh_pipeline.model.view import Field, View, concept, reference, value

LOINC = "http://loinc.org"
_SYSTEMS = (LOINC, "http://snomed.info/sct")
_EFFECTIVE = (
    "effective.ofType(dateTime)",
    "effective.ofType(instant)",
    "effective.ofType(Period).start",
    "effective.ofType(Timing).event[0]",
)

OBSERVATION = View(
    "observation",
    "Observation",
    description="Observations of every delivery, one row per resource.",
    patient="subject",
    fields=(
        value("status", "State of the observation", "status"),
        concept(
            "category",
            "Category",
            "category",
            prefers=("http://terminology.hl7.org/CodeSystem/observation-category",),
        ),
        concept("code", "What was observed", "code", prefers=_SYSTEMS),
        reference("subject", "Whose observation", "subject", to=("Patient",)),
        reference("encounter", "Encounter in which it was made", "encounter", to=("Encounter",)),
        value("effective", "When, as written", *_EFFECTIVE),
        value("effective_end", "End of the time in which it was made", "effective.ofType(Period).end"),
        value("issued", "When it was made available", "issued"),
        concept("interpretation", "Interpretation", "interpretation[0]"),
        value("data_absent_reason", "Why there is no value", "dataAbsentReason.coding.code", "dataAbsentReason.text"),
        Field("component_count", "Number of components", ("component",), "count"),
        Field("value_kind", "Type of its own value", ("value",), "choice"),
    ),
)

OBSERVATION_VALUE = View(
    "observation_value",
    "Observation",
    description="Values of observations of every delivery: 0 is the observation's own, then its components from 1.",
    patient="subject",
    for_each=("$this", "component"),
    index="item_index",
    only_with=("value_kind", "absent_reason"),
    fields=(
        concept("code", "What was observed", "code", prefers=_SYSTEMS),
        Field("value_kind", "Type of the value", ("value",), "choice"),
        value(
            "value_number",
            "The number, as written",
            "value.ofType(Quantity).value",
            "value.ofType(integer)",
        ),
        value("value_comparator", "How the number is to be understood", "value.ofType(Quantity).comparator"),
        value("value_unit", "Unit, for people", "value.ofType(Quantity).unit"),
        value("value_unit_code", "Unit, in UCUM", "value.ofType(Quantity).code"),
        concept("value", "A coded value", "value.ofType(CodeableConcept)", prefers=_SYSTEMS),
        value(
            "value_string",
            "A value that is a text, a truth or a time, as written",
            "value.ofType(string)",
            "value.ofType(boolean)",
            "value.ofType(dateTime)",
            "value.ofType(time)",
        ),
        value("value_start", "Start of a period", "value.ofType(Period).start"),
        value("value_end", "End of a period", "value.ofType(Period).end"),
        value("value_low", "Low end of a range", "value.ofType(Range).low.value"),
        value("value_high", "High end of a range", "value.ofType(Range).high.value"),
        value("value_numerator", "Numerator of a ratio", "value.ofType(Ratio).numerator.value"),
        value("value_denominator", "Denominator of a ratio", "value.ofType(Ratio).denominator.value"),
        concept("interpretation", "Interpretation", "interpretation[0]"),
        value("absent_reason", "Why there is no value", "dataAbsentReason.coding.code", "dataAbsentReason.text"),
        # What the observation says of all its values.
        value("status", "State of the observation", "%resource.status"),
        concept(
            "category",
            "Category",
            "%resource.category",
            prefers=("http://terminology.hl7.org/CodeSystem/observation-category",),
        ),
        concept("panel", "What the whole observation is", "%resource.code", prefers=_SYSTEMS),
        reference("subject", "Whose observation", "%resource.subject", to=("Patient",)),
        reference("encounter", "Encounter in which it was made", "%resource.encounter", to=("Encounter",)),
        value("effective", "When, as written", *(f"%resource.{path}" for path in _EFFECTIVE)),
        value("issued", "When it was made available", "%resource.issued"),
    ),
)
