"""What is taken of an item of the treatment system: each attribute once, with where it is and what it is.

An item is a document of DynamoDB, in which every value says its type (``S`` text, ``N`` number, ``M`` map). Bronze has
these attributes as text, silver in their types; what an item has beside them is kept as JSON.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nh_pipeline.model.columns import decimal, instant, integer, text
from nh_pipeline.model.rules import AtLeast
from nh_pipeline.model.types import LONG

if TYPE_CHECKING:
    from nh_pipeline.model.columns import Column


@dataclass(frozen=True)
class Attribute:
    """One attribute.

    Attributes:
        column: as silver has it: name, type, meaning, allowed values.
        paths: where it is, with dots between names: the first path that has a value counts.
        types: types of DynamoDB that it may have without being noted as coerced.
        is_time: whether a day is not enough: then it counts as its midnight in UTC, and as coerced.
    """

    column: Column
    paths: tuple[str, ...]
    types: tuple[str, ...] = ("S",)
    is_time: bool = False

    @property
    def name(self) -> str:
        """Of its columns, in bronze and silver."""
        return self.column.name

    @property
    def raw(self) -> Column:
        """Its column in bronze."""
        return text(self.name, f"{self.column.description}; {' else '.join(self.paths)}")


def _number(column: Column, *paths: str) -> Attribute:
    return Attribute(column, paths, ("N",))


def _id(name: str, description: str, *paths: str) -> Attribute:
    return _number(_whole(name, description), *paths)


def _whole(name: str, description: str, **more: Any) -> Column:
    return integer(name, description, type=LONG, allowed=AtLeast(0), **more)


def _text(name: str, description: str, *paths: str) -> Attribute:
    return Attribute(text(name, description), paths)


def _when(name: str, description: str, *paths: str) -> Attribute:
    return Attribute(instant(name, description), paths)


TREATMENT_ID = Attribute(
    _whole("treatment_id", "The treatment", nullable=False),
    ("treatment.id", "treatment_id_partition_key"),
    ("N",),
)
MODIFIED_AT = Attribute(
    instant("metadata_modified_at", "When the item was changed last, by the source's own clock"),
    ("metadata.modified_at", "metadata_modified_at"),
    ("S", "N"),
    is_time=True,
)

ATTRIBUTES = (
    TREATMENT_ID,
    _when("treatment_start_at", "When it began", "treatment.start_date"),
    _when("treatment_completion_at", "When it was over", "treatment.completion_date"),
    _when("treatment_outcome_at", "When its outcome was known", "treatment.outcome_date"),
    _text("treatment_outcome_status", "Outcome, as written", "treatment.outcome_status"),
    _number(
        integer("treatment_duration_in_days", "How long it took, as the source says", unit="days"),
        "treatment.duration_in_days",
    ),
    _number(
        decimal(18, 2, "treatment_cost", "What it cost", unit="US dollars", expects="US dollars, at most two decimals"),
        "treatment.cost",
    ),
    _text("treatment_type", "Kind of treatment, as written", "treatment.type"),
    _id("provider_id", "Who treated, by the source's own number: no NPI and no CCN", "provider.id"),
    _text("provider_full_name", "Name of the provider", "provider.full_name"),
    _id("provider_speciality_id", "Speciality of the provider", "provider.speciality_id", "provider.speciality.id"),
    _text(
        "provider_speciality_name", "Name of that speciality", "provider.speciality_name", "provider.speciality.name"
    ),
    _text("provider_affiliated_hospital", "Hospital or home of the provider", "provider.affiliated_hospital"),
    _id("location_id", "Where the treatment took place", "location.id"),
    _text("location_country", "Country of the place", "location.country"),
    _text("location_state", "State of the place", "location.state"),
    _text("location_city", "City of the place", "location.city"),
    _id(
        "patient_id", "Who was treated, by the source's own number: no patient_id of the clinical domain", "patient.id"
    ),
    _text("patient_full_name", "Name of the patient", "patient.full_name"),
    _text("patient_gender", "Gender of the patient, as written", "patient.gender"),
    _number(
        integer("patient_age", "Age of the patient at the treatment", unit="years", allowed=AtLeast(0)), "patient.age"
    ),
    _id("disease_id", "What was treated", "disease.id"),
    _id("disease_speciality_id", "Speciality of the disease", "disease.speciality_id", "disease.speciality.id"),
    _text("disease_speciality_name", "Name of that speciality", "disease.speciality_name", "disease.speciality.name"),
    _text("disease_name", "Name of the disease", "disease.name"),
    _text("disease_type", "Kind of disease", "disease.type"),
    _text("disease_severity", "How severe it is", "disease.severity"),
    _text("disease_transmission_mode", "How it is transmitted", "disease.transmission_mode"),
    _number(
        decimal(9, 4, "disease_mortality_rate", "How many die of it", unit="per cent", expects="at most four decimals"),
        "disease.mortality_rate",
    ),
    Attribute(
        instant("metadata_added_at", "When the item was made, by the source's own clock"),
        ("metadata.added_at", "metadata_added_at"),
        ("S", "N"),
        is_time=True,
    ),
    MODIFIED_AT,
)
"""All of them, in the order of the columns."""
