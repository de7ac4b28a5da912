"""Which admissions are planned, and which stays no readmission is counted after, after CMS's hospital-wide measure.

CMS's own lists are thousands of codes long, by its clinical classification; these are those of their heads that occur
in records: transplants, chemotherapy and radiotherapy, elective surgery, rehabilitation, maintenance dialysis.
"""

from __future__ import annotations

from nh_pipeline.datasets.clinical.reference.codes import Codes

PLANNED_PROCEDURES = Codes(
    snomed=(
        *("70536003", "18027006", "32413006", "88039007", "62438007", "77465005", "23719005", "234336002"),
        *("367336001", "703423002", "108290001", "33195004", "152198000"),
        *("52734007", "609588000", "232717009", "38102005"),
    ),
    cpt=(
        *("50360", "50365", "47135", "33945", "32851", "32852", "32853", "32854", "48554", "38240", "38241"),
        *("96413", "27130", "27447", "33533", "33534", "33535", "33536", "47562", "47563", "47600"),
    ),
    pcs=("0TY", "0FY", "02YA", "0BY", "3023", "3024", "3E0[34]30", "DB", "DD", "0SR[9BCD]", "021", "0FT4", "0FB4"),
)
"""Transplants of organs and stem cells; chemotherapy, radiotherapy; new hips and knees, coronary bypass, removal of the
gallbladder: an admission with one of them is planned. CMS's exception for acute diagnoses is not made."""

PLANNED_DIAGNOSES = Codes(snomed=("698306007",), icd=("Z510", "Z511", "Z49", "Z50", "Z5189"))
"""Admitted for chemotherapy, radiotherapy, dialysis, rehabilitation, or a transplant that was waited for."""

PLANNED_TYPES = Codes(snomed=("8715000", "183495009", "305432006"))
"""Kinds of encounters that are elective."""

NO_INDEX_DIAGNOSES: dict[str, Codes] = {
    "cancer": Codes(
        snomed=(
            "363346000", "93143009", "118600007", "109989006", "254837009", "363406005", "93761005", "109838007",
            "94260004", "126906006", "314994000", "254632001", "254637007", "424132000", "425048006", "422968005",
            "423121009", "67811000119102", "67821000119109", "67831000119107", "67841000119103",
        ),
        icd=("C", "Z510", "Z511"),
    ),
    "psychiatric": Codes(
        snomed=(
            "58214004", "69322001", "13746004", "370143000", "36923009", "35489007", "197480006", "47505003",
            "192127007",
        ),
        icd=("F[2-9]",),
    ),
    "rehabilitation": Codes(snomed=("52052004",), icd=("Z44", "Z50", "Z5189")),
}  # fmt: skip
"""Main diagnoses of stays that are followed by planned care: no index of the unplanned measure. Dementia, delirium and
addiction (F00 to F19) are."""

NO_INDEX_DISPOSITIONS: dict[str, tuple[str, ...]] = {
    "died": ("20", "40", "41", "42"),
    "against_advice": ("07",),
    "transferred": ("02",),
}
"""Discharge dispositions (NUBC) after which nobody can be readmitted, or the stay goes on elsewhere."""
