"""What codes and names mean, from the project's lists of them, as macros of DuckDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlglot

from nh_pipeline.datasets.clinical.reference.cohorts import COHORTS
from nh_pipeline.datasets.clinical.reference.denials import denial_category
from nh_pipeline.datasets.clinical.reference.diagnosis_categories import diagnosis_category
from nh_pipeline.datasets.clinical.reference.encounter_kinds import encounter_kind
from nh_pipeline.datasets.clinical.reference.payers import folded, payer_category
from nh_pipeline.datasets.clinical.reference.planned import (
    NO_INDEX_DIAGNOSES,
    PLANNED_DIAGNOSES,
    PLANNED_PROCEDURES,
    PLANNED_TYPES,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_CODED = "of_system, of_code"


def macros() -> Iterator[str]:
    """Statements that make them: each list is of the project's own Spark SQL."""
    told = {
        f"diagnosis_category({_CODED})": diagnosis_category("of_system", "of_code"),
        f"denial_category({_CODED})": denial_category("of_system", "of_code"),
        "encounter_kind(class_code, type_system, type_code)": encounter_kind("false"),
        "folded(payer)": folded("payer"),
        "payer_category(payer)": payer_category("payer"),
        **{
            f"is_{name}({_CODED})": codes.sql("of")
            for name, codes in {
                "planned_procedure": PLANNED_PROCEDURES,
                "planned_diagnosis": PLANNED_DIAGNOSES,
                "planned_type": PLANNED_TYPES,
                **NO_INDEX_DIAGNOSES,
                **{cohort.lower(): codes for cohort, codes in COHORTS.items()},
            }.items()
        },
    }
    for name, sql in told.items():
        yield f"create macro {name} as ({sqlglot.transpile(sql, read='spark', write='duckdb')[0]});"
