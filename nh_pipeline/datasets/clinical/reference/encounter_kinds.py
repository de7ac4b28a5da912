"""What kind of care an encounter is: by SNOMED CT's code of its type, HL7's class, and where it was."""

from __future__ import annotations

from nh_pipeline.datasets.clinical.care import SNOMED

KINDS = (
    "acute_inpatient", "non_acute_inpatient", "snf", "hospice", "home_health", "observation", "emergency",
    "urgent_care", "virtual", "ambulatory", "other",
)  # fmt: skip

OVERNIGHT = ("acute_inpatient", "non_acute_inpatient", "snf")
"""Kinds that count a day even if the patient leaves on the day of admission."""

_NURSING = ("449411000124106", "449421000124103")
_HOSPICE = ("305336008", "385765002", "183919006", "183920000", "183921001")
_NOT_ACUTE = (
    "449431000124100", "305382000", "305405001",  # rehabilitation
    "305400006", "305401005", "305402003", "305403008", "305404002", "183508000",  # psychiatry
    "56876005", "699124006",  # addiction
)  # fmt: skip
_HOSPITAL = (
    "32485007", "8715000", "183452005", "183460006", "183478001", "183495009", "305408004", "305411003", "305432006",
    "405614004",
)  # fmt: skip
_URGENT = ("702927004",)

_INPATIENT = "('IMP', 'ACUTE', 'NONAC')"

NURSING_HOME_CCN = "^[0-9]{2}(5[0-9]{3}|6[0-4][0-9]{2}|[A-F][0-9]{3})$"
"""CCNs of nursing homes: 5000 to 6499, or a letter from A to F if they take Medicaid alone."""


def encounter_kind(at_home: str) -> str:
    """SQL for the kind, by ``class_code``, ``type_system`` and ``type_code``; the first that fits.

    A stay in a nursing home has the class of any inpatient. So the type comes first; then, of inpatients whose type
    tells nothing, where they are.

    Args:
        at_home: SQL for whether the organization is a nursing home.
    """

    def typed(codes: tuple[str, ...]) -> str:
        return f"type_system = '{SNOMED}' and type_code in ({', '.join(map(repr, codes))})"

    inpatient = f"class_code in {_INPATIENT}"
    cases = {
        typed(_NURSING): "snf",
        typed(_HOSPICE): "hospice",
        "class_code = 'HH'": "home_health",
        "class_code in ('SS', 'OBSENC')": "observation",
        "class_code = 'EMER'": "emergency",
        f"{inpatient} and {typed(_NOT_ACUTE)}": "non_acute_inpatient",
        f"{inpatient} and {typed(_HOSPITAL)}": "acute_inpatient",
        f"{inpatient} and {at_home}": "snf",
        "class_code = 'NONAC'": "non_acute_inpatient",
        inpatient: "acute_inpatient",
        "class_code = 'VR'": "virtual",
        typed(_URGENT): "urgent_care",
        "class_code = 'AMB'": "ambulatory",
    }
    fitting = " ".join(f"when {case} then '{kind}'" for case, kind in cases.items())
    return f"case {fitting} else 'other' end"
