"""State US Averages: what CMS publishes as the mean home of the nation and of each state (NH_StateUSAverages, monthly).

Every figure is the unweighted mean of the homes' own figures: hours per resident day here are not the hours of a state
over its residents. The quality measures come and go: a measure that CMS gave another code under the same words
(419, since 2026 481) stays one column.

Sources: the headers of 2023-02, 2024-10 and 2025-11, and for 2019 CMS's data dictionary.
"""

from __future__ import annotations

from nh_pipeline.datasets.cms.medicare_claims import MEASURES as CLAIMS
from nh_pipeline.datasets.cms.provider_columns import HPRD, REPORTED_STAFFING
from nh_pipeline.datasets.cms.shared import PROCESSING_DATE
from nh_pipeline.model.columns import Column, decimal, hprd, money, percent, text
from nh_pipeline.model.dataset import Dataset, Era
from nh_pipeline.model.kinds import PerRelease


def _mean(name: str, what: str, *labels: str, unit: str = "") -> Column:
    return decimal(9, 2, name, f"{what}, mean of the homes", *labels, unit=unit)


def _cycle(number: int) -> tuple[Column, ...]:
    return tuple(
        _mean(f"cycle_{number}_{name}", f"{what} of rating cycle {number}", f"Cycle {number} Total Number of {label}",
              f"C{number}_{short}_DEFS_CNT")
        for name, what, label, short in (
            ("health_deficiencies", "Health deficiencies", "Health Deficiencies", "HLTH"),
            ("fire_deficiencies", "Fire safety deficiencies", "Fire Safety Deficiencies", "FS"),
        )
    )  # fmt: skip


_LONG, _SHORT = "Percentage of long stay residents", "Percentage of short stay residents"
_GIVEN = "assessed and appropriately given the"
_MDS = (
    ("ss_pressure_ulcers", "Percentage of SNF residents with pressure ulcers that are new or worsened", "002"),
    ("ls_adl_decline", f"{_LONG} whose need for help with daily activities has increased", "401"),
    ("ls_pain", f"{_LONG} who self-report moderate to severe pain", "402"),
    ("ls_weight_loss", f"{_LONG} who lose too much weight", "404"),
    ("ls_low_risk_incontinence",
     "Percentage of low risk long stay residents who lose control of their bowels or bladder", "405"),
    ("ls_incontinence", f"{_LONG} with new or worsened bowel or bladder incontinence", "480"),
    ("ls_catheter", f"{_LONG} with a catheter inserted and left in their bladder", "406"),
    ("ls_uti", f"{_LONG} with a urinary tract infection", "407"),
    ("ls_depressive_symptoms", f"{_LONG} who have depressive symptoms", "408"),
    ("ls_restraints", f"{_LONG} who were physically restrained", "409"),
    ("ls_falls", f"{_LONG} experiencing one or more falls with major injury", "410"),
    ("ls_pneumococcal_vaccine", f"{_LONG} {_GIVEN} pneumococcal vaccine", "415"),
    ("ls_antipsychotic", f"{_LONG} who received an antipsychotic medication", "419", "481"),
    ("ss_pain", f"{_SHORT} who self-report moderate to severe pain", "424"),
    ("ss_pneumococcal_vaccine", f"{_SHORT} {_GIVEN} pneumococcal vaccine", "430"),
    ("ss_antipsychotic", f"{_SHORT} who newly received an antipsychotic medication", "434"),
    ("ls_mobility_decline", f"{_LONG} whose ability to move independently worsened", "451"),
    ("ls_antianxiety_hypnotic", f"{_LONG} who received an antianxiety or hypnotic medication", "452"),
    ("ls_high_risk_pressure_ulcers", "Percentage of high risk long stay residents with pressure ulcers", "453"),
    ("ls_pressure_ulcers", f"{_LONG} with pressure ulcers", "479"),
    ("ls_influenza_vaccine", f"{_LONG} {_GIVEN} seasonal influenza vaccine", "454"),
    ("ss_improved_function", f"{_SHORT} who made improvements in function", "471"),
    ("ss_influenza_vaccine", f"{_SHORT} who were {_GIVEN} seasonal influenza vaccine", "472"),
)  # fmt: skip
_CLAIMS = {
    "521": f"{_SHORT} who were rehospitalized after a nursing home admission",
    "522": f"{_SHORT} who had an outpatient emergency department visit",
    "551": "Number of hospitalizations per 1000 long-stay resident days",
    "552": "Number of outpatient emergency department visits per 1000 long-stay resident days",
}
_OTHER_LABELS = {
    "ls_mobility_decline": (f"{_LONG} whose ability to walk independently worsened",),
    "ls_antipsychotic": (f"{_LONG} who got an antipsychotic medication",),
    "ss_antipsychotic": (f"{_SHORT} who got antipsychotic medication for the first time",),
}

MEASURES: dict[str, str] = {**{code: name for name, _, *codes in _MDS for code in codes}, **CLAIMS}
"""Codes of the quality measures (of MDS, and of claims) to the columns that hold their means. 451 counted the ability
to move until 2024, to walk since."""

STATE_US_AVERAGES = Dataset(
    name="state_us_averages",
    title="State US Averages",
    eras=(Era("abbreviated-2019", ("c1_hlth_defs_cnt",)), Era("cms")),
    told_by=("state_or_nation", "cycle_1_health_deficiencies"),
    released_by=PROCESSING_DATE,
    key=("state_or_nation",),
    columns=(
        text("state_or_nation", "NATION, or the two-letter postal code of a state or territory", "State or Nation",
             "STATE", required=True, nullable=False),
        _mean("overall_rating", "Overall rating (2025 on)", "Overall Rating", unit="stars"),
        _mean("health_inspection_rating", "Health inspection rating (2025 on)", "Health Inspection Rating",
              unit="stars"),
        _mean("qm_rating", "Quality measure rating (2025 on)", "QM Rating", unit="stars"),
        _mean("staffing_rating", "Staffing rating (2025 on)", "Staffing Rating", unit="stars"),
        *_cycle(1),
        *_cycle(2),
        *_cycle(3),
        _mean("average_residents_per_day", "Residents per day", "Average Number of Residents per Day", "RESTOT",
              unit="residents"),
        *REPORTED_STAFFING,
        percent("total_nursing_turnover", "Nursing staff who left in a year", "Total nursing staff turnover"),
        percent("rn_turnover", "RNs who left in a year", "Registered Nurse turnover"),
        _mean("administrator_departures", "Administrators who left in a year",
              "Number of administrators who have left the nursing home"),
        decimal(9, 5, "case_mix_index", "Nursing case-mix index", "Nursing Case-Mix Index"),
        hprd("case_mix_rn_hprd", "Case-mix RN staffing", f"Case-Mix RN {HPRD}", "CM_RN"),
        hprd("case_mix_total_hprd", "Case-mix total nurse staffing", f"Case-Mix Total Nurse {HPRD}", "CM_TOTAL"),
        hprd("case_mix_weekend_total_hprd", "Case-mix total nurse staffing at weekends",
             f"Case-Mix Weekend Total Nurse {HPRD}"),
        _mean("fines", "Fines in three years", "Number of Fines", "FINE_CNT"),
        money("fine_dollars", "Sum of a home's fines in three years, mean of all homes", "Fine Amount in Dollars",
              "FINE_TOT"),
        *(
            percent(name, label, label, *_OTHER_LABELS.get(name, ()), f"QM{codes[0]}", scale=6)
            for name, label, *codes in _MDS
        ),
        *(
            decimal(10, 6, CLAIMS[code], f"{label}, risk-adjusted", label, f"QM{code}")
            for code, label in _CLAIMS.items()
        ),
        PROCESSING_DATE,
    ),
    tables=(
        PerRelease(
            "fct_state_averages",
            description="CMS's own averages of each release: one row for the nation and for each state.",
            caution="Unweighted means of homes: the hours of a state per resident day are another figure",
        ),
    ),
)  # fmt: skip

FCT_STATE_AVERAGES = STATE_US_AVERAGES["fct_state_averages"]
