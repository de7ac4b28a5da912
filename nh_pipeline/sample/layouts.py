"""Headers of the monthly CMS files by era: Provider Information, claims measures, penalties, state averages.

Source: the header lines of the real files of August 2021 (88 columns), October 2024 (103) and July 2025 (99), of
which only the column names are taken; of the state averages October 2024 and November 2025. The October 2024 names are
the canonical ones here; the other eras are written as their differences from it. Layouts before 2020 are not known to
us: the 2021 layout stands in for them. CMS changed some measures between November 2024 and February 2025; here they
change with the layouts, in July 2025, so that a few releases have both.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

KEY = "CMS Certification Number (CCN)"
ADDRESS = ("Provider Address", "City/Town", "State", "ZIP Code")
PROCESSING_DATE = "Processing Date"
RATINGS = (
    "Overall Rating",
    "Health Inspection Rating",
    "QM Rating",
    "Long-Stay QM Rating",
    "Short-Stay QM Rating",
    "Staffing Rating",
)
AVERAGED_RATINGS = tuple(name for name in RATINGS if "Stay" not in name)
_SKILLS = ("Nurse Aide", "LPN", "RN", "Total Nurse")
_HPRD = "Staffing Hours per Resident per Day"
_CYCLE = (
    "Total Number of Health Deficiencies",
    "Number of Standard Health Deficiencies",
    "Number of Complaint Health Deficiencies",
    "Health Deficiency Score",
    "Number of Health Revisits",
    "Health Revisit Score",
    "Total Health Score",
)
_FOR_2021 = {
    KEY: "Federal Provider Number",
    "City/Town": "Provider City",
    "State": "Provider State",
    "ZIP Code": "Provider Zip Code",
    "Telephone Number": "Provider Phone Number",
    "County/Parish": "Provider County Name",
}
_FOR_2025 = {
    "Affiliated Entity Name": "Chain Name",
    "Affiliated Entity ID": "Chain ID",
    "Percentage of long stay residents whose ability to move independently worsened": (
        "Percentage of long stay residents whose ability to walk independently worsened"
    ),
} | {
    # The number of standard deficiencies stayed a matter of cycle 2 alone.
    f"Rating Cycle 2 {name}": f"Rating Cycle 2/3 {name}"
    for name in _CYCLE
    if "Standard" not in name
}
RN_STAFFING_RATING = ("RN Staffing Rating", "RN Staffing Rating Footnote")
CHAIN_2025 = (
    "Number of Facilities in Chain",
    "Chain Average Overall 5-star Rating",
    "Chain Average Health Inspection Rating",
    "Chain Average Staffing Rating",
    "Chain Average QM Rating",
)


def _cycle_columns(cycle: int) -> tuple[str, ...]:
    survey = "Standard Survey Health Date" if cycle == 1 else "Standard Health Survey Date"
    return tuple(f"Rating Cycle {cycle} {name}" for name in (survey, *_CYCLE))


_CANONICAL = (
    *(KEY, "Provider Name", *ADDRESS, "Telephone Number", "Provider SSA County Code", "County/Parish"),
    *("Ownership Type", "Number of Certified Beds", "Average Number of Residents per Day"),
    *("Average Number of Residents per Day Footnote", "Provider Type", "Provider Resides in Hospital"),
    *("Legal Business Name", "Date First Approved to Provide Medicare and Medicaid Services"),
    *("Affiliated Entity Name", "Affiliated Entity ID", "Continuing Care Retirement Community"),
    *("Special Focus Status", "Abuse Icon", "Most Recent Health Inspection More Than 2 Years Ago"),
    *("Provider Changed Ownership in Last 12 Months", "With a Resident and Family Council"),
    "Automatic Sprinkler Systems in All Required Areas",
    *(name for rating in RATINGS for name in (rating, f"{rating} Footnote")),
    *("Reported Staffing Footnote", "Physical Therapist Staffing Footnote"),
    *(f"Reported {skill} {_HPRD}" for skill in ("Nurse Aide", "LPN", "RN", "Licensed", "Total Nurse")),
    "Total number of nurse staff hours per resident per day on the weekend",
    "Registered Nurse hours per resident per day on the weekend",
    "Reported Physical Therapist Staffing Hours per Resident Per Day",
    *("Total nursing staff turnover", "Total nursing staff turnover footnote"),
    *("Registered Nurse turnover", "Registered Nurse turnover footnote"),
    *("Number of administrators who have left the nursing home", "Administrator turnover footnote"),
    *("Nursing Case-Mix Index", "Nursing Case-Mix Index Ratio"),
    *(f"{kind} {skill} {_HPRD}" for kind in ("Case-Mix", "Adjusted") for skill in (*_SKILLS, "Weekend Total Nurse")),
    *(name for cycle in (1, 2, 3) for name in _cycle_columns(cycle)),
    *("Total Weighted Health Survey Score", "Number of Facility Reported Incidents"),
    *("Number of Substantiated Complaints", "Number of Citations from Infection Control Inspections"),
    *("Number of Fines", "Total Amount of Fines in Dollars", "Number of Payment Denials"),
    *("Total Number of Penalties", "Location", "Latitude", "Longitude", "Geocoding Footnote", PROCESSING_DATE),
)
_ABSENT_2021 = {
    *("Affiliated Entity Name", "Affiliated Entity ID", "Latitude", "Longitude", "Geocoding Footnote"),
    *(name for name in _CANONICAL if "turnover" in name or "administrators" in name or "eekend" in name),
    *("Nursing Case-Mix Index", "Nursing Case-Mix Index Ratio"),
}
_ABSENT_2025 = {
    *_cycle_columns(3),
    *("Number of Facility Reported Incidents", "Number of Substantiated Complaints"),
}


def _with_after(names: Iterable[str], extra: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(new for name in names for new in (name, *extra.get(name, ())))


_PROVIDER_2021 = _with_after(
    (name for name in _CANONICAL if name not in _ABSENT_2021), {"Staffing Rating Footnote": RN_STAFFING_RATING}
)
_PROVIDER_2025 = _with_after(
    (name for name in _CANONICAL if name not in _ABSENT_2025),
    {"County/Parish": ("Urban",), "Affiliated Entity ID": CHAIN_2025},
)
_CLAIMS = (
    *(KEY, "Provider Name", *ADDRESS, "Measure Code", "Measure Description", "Resident type", "Adjusted Score"),
    *("Observed Score", "Expected Score", "Footnote for Score", "Used in Quality Measure Five Star Rating"),
    *("Measure Period", "Location", PROCESSING_DATE),
)
_PENALTIES = (
    *(KEY, "Provider Name", *ADDRESS, "Penalty Date", "Penalty Type", "Fine Amount", "Payment Denial Start Date"),
    *("Payment Denial Length in Days", "Location", PROCESSING_DATE),
)
INTERVALS = (
    *("Measure Code", "Measure Description", "Data Collection Period From Date"),
    *("Data Collection Period Through Date", "Measure Date Range", PROCESSING_DATE),
)
_LONG, _SHORT = "Percentage of long stay residents", "Percentage of short stay residents"
MEASURES = {
    "401": f"{_LONG} whose need for help with daily activities has increased",
    "404": f"{_LONG} who lose too much weight",
    "405": "Percentage of low risk long stay residents who lose control of their bowels or bladder",
    "406": f"{_LONG} with a catheter inserted and left in their bladder",
    "407": f"{_LONG} with a urinary tract infection",
    "408": f"{_LONG} who have depressive symptoms",
    "409": f"{_LONG} who were physically restrained",
    "410": f"{_LONG} experiencing one or more falls with major injury",
    "415": f"{_LONG} assessed and appropriately given the pneumococcal vaccine",
    "419": f"{_LONG} who received an antipsychotic medication",
    "430": f"{_SHORT} assessed and appropriately given the pneumococcal vaccine",
    "434": f"{_SHORT} who newly received an antipsychotic medication",
    "451": f"{_LONG} whose ability to move independently worsened",
    "452": f"{_LONG} who received an antianxiety or hypnotic medication",
    "453": "Percentage of high risk long stay residents with pressure ulcers",
    "454": f"{_LONG} assessed and appropriately given the seasonal influenza vaccine",
    "471": f"{_SHORT} who made improvements in function",
    "472": f"{_SHORT} who were assessed and appropriately given the seasonal influenza vaccine",
    "479": f"{_LONG} with pressure ulcers",
    "480": f"{_LONG} with new or worsened bowel or bladder incontinence",
    "521": f"{_SHORT} who were rehospitalized after a nursing home admission",
    "522": f"{_SHORT} who had an outpatient emergency department visit",
    "551": "Number of hospitalizations per 1000 long-stay resident days",
    "552": "Number of outpatient emergency department visits per 1000 long-stay resident days",
}
"""Code of a quality measure to the column of its averages; those from 521 on are of claims."""

SUCCESSORS = {"405": "480", "453": "479"}
"""Code of a measure to that of the one which took its place."""

_CLAIMED = ("521", "522", "551", "552")
_MDS = tuple(code for code in MEASURES if code not in {*SUCCESSORS.values(), *_CLAIMED})
_MDS_2025 = tuple(sorted(SUCCESSORS.get(code, code) for code in _MDS if code != "471"))


def _averages(*rated: str, mds: Iterable[str]) -> tuple[str, ...]:
    """The columns of the state averages."""
    return (
        *("State or Nation", *rated),
        *(
            f"Cycle {cycle} Total Number of {kind} Deficiencies"
            for cycle in (1, 2, 3)
            for kind in ("Health", "Fire Safety")
        ),
        "Average Number of Residents per Day",
        *(f"Reported {skill} {_HPRD}" for skill in ("Nurse Aide", "LPN", "RN", "Licensed", "Total Nurse")),
        "Total number of nurse staff hours per resident per day on the weekend",
        "Registered Nurse hours per resident per day on the weekend",
        "Reported Physical Therapist Staffing Hours per Resident Per Day",
        *("Total nursing staff turnover", "Registered Nurse turnover"),
        *("Number of administrators who have left the nursing home", "Nursing Case-Mix Index"),
        *(f"Case-Mix {skill} {_HPRD}" for skill in ("RN", "Total Nurse", "Weekend Total Nurse")),
        *("Number of Fines", "Fine Amount in Dollars"),
        *(MEASURES[code] for code in (*mds, *_CLAIMED)),
        PROCESSING_DATE,
    )


@dataclass(frozen=True)
class Era:
    """How the monthly files of a time look.

    Attributes:
        provider: Canonical names of the Provider Information columns, in file order.
        claims: The same of the claims measures.
        penalties: The same of the penalties.
        averages: The same of the state averages.
        mds: Codes of the MDS measures.
        spelling: Canonical name to the name in the header, where they differ.
        legacy: Whether files are Windows-1252 with CRLF and a trailing blank line, instead of UTF-8 with LF.
        quoted: Whether every field is quoted, instead of those that need it.
    """

    provider: tuple[str, ...]
    claims: tuple[str, ...]
    penalties: tuple[str, ...]
    averages: tuple[str, ...]
    mds: tuple[str, ...]
    spelling: Mapping[str, str]
    legacy: bool
    quoted: bool

    def header(self, canonical: Iterable[str]) -> list[str]:
        """The header line of columns given by canonical name."""
        return [self.spelling.get(name, name) for name in canonical]


_AVERAGES = _averages(mds=_MDS)
_AVERAGES_2025 = _averages(*AVERAGED_RATINGS, mds=_MDS_2025)
_ERA_2021 = Era(_PROVIDER_2021, _CLAIMS, _PENALTIES, _AVERAGES, _MDS, _FOR_2021, legacy=True, quoted=True)
_ERA_2024 = Era(_CANONICAL, _CLAIMS, _PENALTIES, _AVERAGES, _MDS, {}, legacy=False, quoted=False)
_ERA_2025 = Era(_PROVIDER_2025, _CLAIMS, _PENALTIES, _AVERAGES_2025, _MDS_2025, _FOR_2025, legacy=False, quoted=True)


def era_of(release: date) -> Era:
    """The layouts of a release: 88 columns to June 2023, 103 to June 2025, 99 after (Provider Information)."""
    if release < date(2023, 7, 1):
        return _ERA_2021
    return _ERA_2024 if release < date(2025, 7, 1) else _ERA_2025
