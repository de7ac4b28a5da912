"""Encounters, conditions and procedures: what of their FHIR resources is a row of bronze."""

from __future__ import annotations

from nh_pipeline.model.view import View, concept, reference, value

SNOMED = "http://snomed.info/sct"
ICD_10 = "http://hl7.org/fhir/sid/icd-10-cm"
CPT = "http://www.ama-assn.org/go/cpt"

_WHO = ("Practitioner", "PractitionerRole", "RelatedPerson")

ENCOUNTER = View(
    "encounter",
    "Encounter",
    description="Encounters of every delivery, one row per resource.",
    patient="subject",
    fields=(
        value("status", "State of the encounter", "status"),
        value("class_code", "Class of the encounter", "class.code", "class.coding.code"),
        value("class_system", "System of the class", "class.system", "class.coding.system"),
        concept("type", "Kind of encounter", "type", prefers=(SNOMED, CPT)),
        value("period_start", "Start, as written", "period.start"),
        value("period_end", "End, as written", "period.end"),
        reference("subject", "Whose encounter", "subject", to=("Patient",)),
        reference("service_provider", "Organization that is responsible", "serviceProvider", to=("Organization",)),
        reference(
            "participant",
            "Who performed it",
            "participant.where(type.coding.code = 'PPRF').individual",
            "participant.where(type.coding.code = 'ATND').individual",
            "participant.individual",
            to=_WHO,
        ),
        reference(
            "location",
            "Where",
            "location.where(status = 'active').location",
            "location.where(status = 'completed').location",
            "location.location",
            to=("Location",),
        ),
        reference("part_of", "The encounter that it is part of", "partOf", to=("Encounter",)),
        reference("episode_of_care", "Episode of care", "episodeOfCare[0]", to=("EpisodeOfCare",)),
        concept("reason", "Reason in codes", "reasonCode", prefers=(ICD_10, SNOMED)),
        reference(
            "diagnosis_condition",
            "Diagnosis",
            "diagnosis.where(use.coding.code = 'DD').where(rank = '1').condition",
            "diagnosis.where(use.coding.code = 'AD').where(rank = '1').condition",
            "diagnosis.where(rank = '1').condition",
            "diagnosis[0].condition",
            to=("Condition", "Procedure"),
        ),
        concept("admit_source", "Where the patient came from", "hospitalization.admitSource"),
        concept("discharge_disposition", "Where the patient went", "hospitalization.dischargeDisposition"),
        value("length_value", "Length, as the source says", "length.value"),
        value("length_unit", "Its unit", "length.code", "length.unit"),
    ),
)

CONDITION = View(
    "condition",
    "Condition",
    description="Conditions of every delivery, one row per resource.",
    patient="subject",
    fields=(
        concept("category", "Category", "category"),
        concept("code", "What", "code", prefers=(ICD_10, SNOMED)),
        value("clinical_status", "Clinical status", "clinicalStatus.coding.code"),
        value("verification_status", "Verification status", "verificationStatus.coding.code"),
        concept("severity", "Severity", "severity"),
        reference("subject", "Whose condition", "subject", to=("Patient",)),
        reference("encounter", "Encounter in which it was recorded", "encounter", to=("Encounter",)),
        value("onset_datetime", "Onset", "onset.ofType(dateTime)", "onset.ofType(Period).start"),
        value("onset_text", "Onset in other words", "onset.ofType(string)", "onset.ofType(Age).value"),
        value("abatement_datetime", "Abatement", "abatement.ofType(dateTime)", "abatement.ofType(Period).start"),
        value("recorded_date", "When it was recorded", "recordedDate"),
    ),
)

PROCEDURE = View(
    "procedure",
    "Procedure",
    description="Procedures of every delivery, one row per resource.",
    patient="subject",
    fields=(
        value("status", "State of the procedure", "status"),
        concept("category", "Category", "category"),
        concept("code", "What", "code", prefers=(SNOMED, CPT)),
        reference("subject", "Whose procedure", "subject", to=("Patient",)),
        reference("encounter", "Encounter in which it was done", "encounter", to=("Encounter",)),
        value("performed_start", "Start", "performed.ofType(dateTime)", "performed.ofType(Period).start"),
        value("performed_end", "End", "performed.ofType(Period).end"),
        reference("reason", "Condition that is its reason", "reasonReference", to=("Condition", "Observation")),
    ),
)
