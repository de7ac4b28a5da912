"""Patients, clinicians, organizations and places: what of their FHIR resources is a row of bronze.

Names, numbers and telephones of people are not among the columns: they stay in the resource as it was delivered.
"""

from __future__ import annotations

from nh_pipeline.model.view import View, concept, reference, value

_RACE = "extension('http://hl7.org/fhir/us/core/StructureDefinition/us-core-race')"
_ETHNICITY = "extension('http://hl7.org/fhir/us/core/StructureDefinition/us-core-ethnicity')"
_HOME = ("address.where(use = 'home')", "address")
_NPI = "identifier.where(system = 'http://hl7.org/fhir/sid/us-npi').value"
CCN_SYSTEM = "urn:oid:2.16.840.1.113883.4.336"
"""The code system of CMS Certification Numbers."""

ADDRESS = (
    value("address_line", "Street", "address.line[0]"),
    value("address_city", "City", "address.city"),
    value("address_state", "State", "address.state"),
    value("address_postal_code", "ZIP code", "address.postalCode"),
)

PATIENT = View(
    "patient",
    "Patient",
    description="Patients of every delivery, one row per resource.",
    patient="$this",
    fields=(
        value("gender", "Administrative gender", "gender"),
        value("birth_date", "Date of birth, perhaps only its year or month", "birthDate"),
        value("deceased_boolean", "Whether the patient has died", "deceased.ofType(boolean)"),
        value("deceased_datetime", "When the patient died", "deceased.ofType(dateTime)"),
        value("race_code", "Race, by OMB category", f"{_RACE}.extension('ombCategory').value.ofType(Coding).code"),
        value(
            "race_second_code",
            "A second race, where there are several",
            f"{_RACE}.extension('ombCategory')[1].value.ofType(Coding).code",
        ),
        value("race_text", "Race, in words", f"{_RACE}.extension('text').value.ofType(string)"),
        value(
            "ethnicity_code",
            "Ethnicity, by OMB category",
            f"{_ETHNICITY}.extension('ombCategory').value.ofType(Coding).code",
        ),
        value("ethnicity_text", "Ethnicity, in words", f"{_ETHNICITY}.extension('text').value.ofType(string)"),
        concept(
            "marital_status",
            "Marital status",
            "maritalStatus",
            prefers=("http://terminology.hl7.org/CodeSystem/v3-MaritalStatus",),
        ),
        value("address_city", "City of residence", *(f"{address}.city" for address in _HOME)),
        value("address_state", "State of residence", *(f"{address}.state" for address in _HOME)),
        value("address_postal_code", "ZIP code of residence", *(f"{address}.postalCode" for address in _HOME)),
        value("multiple_birth", "Whether part of a multiple birth, or its number", "multipleBirth.ofType(boolean)"),
        value("active", "Whether the record is in use", "active"),
        reference("managing_organization", "Who keeps the record", "managingOrganization", to=("Organization",)),
    ),
)

PRACTITIONER = View(
    "practitioner",
    "Practitioner",
    description="Clinicians of every delivery, one row per resource.",
    fields=(
        value("npi", "National Provider Identifier", _NPI),
        value("family_name", "Family name", "name.family"),
        value("given_name", "First given name", "name.given"),
        value("active", "Whether the record is in use", "active"),
        value("gender", "Administrative gender", "gender"),
        *ADDRESS,
    ),
)

PRACTITIONER_ROLE = View(
    "practitioner_role",
    "PractitionerRole",
    description="What clinicians do for whom, one row per resource of every delivery.",
    fields=(
        reference("practitioner", "The clinician", "practitioner", to=("Practitioner",)),
        reference("organization", "Where", "organization", to=("Organization",)),
        concept("specialty", "Specialty", "specialty", "code", prefers=("http://nucc.org/provider-taxonomy",)),
        value("active", "Whether the role is held", "active"),
    ),
)

ORGANIZATION = View(
    "organization",
    "Organization",
    description="Organizations of every delivery, one row per resource.",
    fields=(
        value("name", "Name", "name"),
        concept("type", "Kind of organization", "type"),
        value("npi", "National Provider Identifier", _NPI),
        value("ccn", "CMS Certification Number", f"identifier.where(system = '{CCN_SYSTEM}').value"),
        value("active", "Whether the record is in use", "active"),
        *ADDRESS,
        reference("part_of", "The organization that it is part of", "partOf", to=("Organization",)),
    ),
)

LOCATION = View(
    "location",
    "Location",
    description="Places of every delivery, one row per resource.",
    fields=(
        value("name", "Name", "name"),
        value("location_status", "Status", "status"),
        concept("type", "Kind of place", "type"),
        *ADDRESS,
        reference("managing_organization", "Who runs it", "managingOrganization", to=("Organization",)),
    ),
)
