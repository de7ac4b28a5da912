"""Cohorts: patients with a chronic condition, by its codes."""

from __future__ import annotations

from nh_pipeline.datasets.clinical.reference.codes import Codes

COHORTS: dict[str, Codes] = {
    "COPD": Codes(snomed=("13645005", "185086009", "87433001"), icd=("J41", "J42", "J43", "J44")),
    "CHF": Codes(snomed=("88805009", "84114007", "42343007"), icd=("I50", "I110", "I130", "I132")),
}
"""Chronic obstructive pulmonary disease, congestive heart failure."""
