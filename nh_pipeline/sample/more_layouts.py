"""Headers of the CMS files that only releases with every file have.

Source: the header lines of the real files of October 2024, and of chains in March 2025 and after. Names that changed
in 2023 are respelt by the era (:mod:`nh_pipeline.sample.layouts`).
"""

from __future__ import annotations

from nh_pipeline.sample.layouts import ADDRESS, KEY, PROCESSING_DATE

_WHO = (KEY, "Provider Name", *ADDRESS)
DISPUTES = ("Citation under IDR", "Citation under IIDR")
"""Since January 2023."""

_FOUND = (
    *("Scope Severity Code", "Deficiency Corrected", "Correction Date", "Inspection Cycle", "Standard Deficiency"),
    *("Complaint Deficiency", "Infection Control Inspection Deficiency", *DISPUTES, "Location", PROCESSING_DATE),
)
_CITED = (*_WHO, "Survey Date", "Survey Type", "Deficiency Prefix", "Deficiency Category", "Deficiency Tag Number")
HEALTH_CITATIONS = (*_CITED, "Deficiency Description", *_FOUND)
FIRE_CITATIONS = (*_CITED, "Tag Version", "Deficiency Description", *_FOUND)
CITATION_DESCRIPTIONS = (
    *("Deficiency Prefix", "Deficiency Tag Number", "Deficiency Prefix and Number", "Deficiency Description"),
    "Deficiency Category",
)
SURVEY_DATES = (KEY, "Survey Date", "Type of Survey", "Survey Cycle", PROCESSING_DATE)

HEALTH_CATEGORIES = (
    *("Freedom from Abuse, Neglect, and Exploitation", "Quality of Life and Care"),
    *("Resident Assessment and Care Planning", "Nursing and Physician Services", "Resident Rights"),
    *("Nutrition and Dietary", "Pharmacy Service", "Environmental", "Administration", "Infection Control"),
)
FIRE_CATEGORIES = (
    *("Emergency Preparedness", "Automatic Sprinkler Systems", "Construction", "Services"),
    *("Corridor Walls and Doors", "Egress", "Electrical", "Emergency Plans and Fire Drills", "Fire Alarm Systems"),
    *("Smoke", "Interior", "Gas, Vacuum, and Electrical Systems", "Hazardous Area"),
    *("Illumination and Emergency Power", "Laboratories", "Medical Gases and Anaesthetizing Areas"),
    *("Smoking Regulations", "Miscellaneous"),
)
SURVEY_SUMMARY = (
    *(*_WHO, "Inspection Cycle", "Health Survey Date", "Fire Safety Survey Date"),
    *("Total Number of Health Deficiencies", "Total Number of Fire Safety Deficiencies"),
    *(
        f"Count of {category.replace(', and ', ' and ').replace(', ', ' and ')} Deficiencies"
        for category in (*HEALTH_CATEGORIES, *FIRE_CATEGORIES)
    ),
    *("Location", PROCESSING_DATE),
)

CUT_POINTS = ("State", "5 Stars", "4 Stars", "3 Stars", "2 Stars", "1 Star")

MDS_MEASURES = (
    *(*_WHO, "Measure Code", "Measure Description", "Resident type"),
    *(name for n in (1, 2, 3, 4) for name in (f"Q{n} Measure Score", f"Footnote for Q{n} Measure Score")),
    *("Four Quarter Average Score", "Footnote for Four Quarter Average Score"),
    *("Used in Quality Measure Five Star Rating", "Measure Period", "Location", PROCESSING_DATE),
)
_QRP_PLACE = ("City/Town", "State", "ZIP Code", "County/Parish", "Telephone Number", "CMS Region")
_QRP_SCORE = ("Measure Code", "Score", "Footnote", "Start Date", "End Date")
QRP_PROVIDER = (*(KEY, "Provider Name", "Address Line 1", *_QRP_PLACE, *_QRP_SCORE, "Measure Date Range", "LOCATION1"),)
QRP_NATIONAL = (KEY, *_QRP_SCORE, "Measure Date Range")
SWING_BEDS = (KEY, "Provider Name", "Address Line 1", "Address Line 2", *_QRP_PLACE, *_QRP_SCORE, "MeasureDateRange")

OWNERSHIP = (
    *(*_WHO, "Role played by Owner or Manager in Facility", "Owner Type", "Owner Name", "Ownership Percentage"),
    *("Association Date", "Location", PROCESSING_DATE),
)
ENROLLMENTS = (
    *("ENROLLMENT ID", "ENROLLMENT STATE", "PROVIDER TYPE CODE", "PROVIDER TYPE TEXT", "NPI", "MULTIPLE NPI FLAG"),
    *("CCN", "ASSOCIATE ID", "ORGANIZATION NAME", "DOING BUSINESS AS NAME", "INCORPORATION DATE"),
    *("INCORPORATION STATE", "ORGANIZATION TYPE STRUCTURE", "ORGANIZATION OTHER TYPE TEXT", "PROPRIETARY_NONPROFIT"),
    *("NURSING HOME PROVIDER NAME", "AFFILIATION ENTITY NAME", "AFFILIATION ENTITY ID", "ADDRESS LINE 1"),
    *("ADDRESS LINE 2", "CITY", "STATE", "ZIP CODE"),
)
_UP_TO_DATE = tuple(f"Percent of {who} who are up-to-date on their vaccines" for who in ("residents", "staff"))
_UPDATED = "Date vaccination data last updated"
VACCINATION = (KEY, "State", *_UP_TO_DATE, _UPDATED)
VACCINATION_AVERAGES = ("State", *_UP_TO_DATE, _UPDATED)

_RATES = (
    "Baseline Period: FY 2019 Risk-Standardized Readmission Rate",
    "Performance Period: FY 2022 Risk-Standardized Readmission Rate",
)
_SCORES = ("Achievement Score", "Improvement Score", "Performance Score", "Incentive Payment Multiplier")
PURCHASING = (
    *("SNF VBP Program Ranking", "Footnote -- SNF VBP Program Ranking", *_WHO),
    *(column for name in (*_RATES, *_SCORES) for column in (name, f"Footnote -- {name}")),
)
PURCHASING_AGGREGATE = (
    "Baseline Period: FY 2019 National Average Readmission Rate",
    "Performance Period: FY 2022 National Average Readmission Rate",
    *("FY 2024 Achievement Threshold", "FY 2024 Benchmark", "Range of Performance Scores"),
    *("Total Number of SNFs Receiving Value-Based Incentive Payments", "Range of Incentive Payment Multipliers"),
    "Range of Value-Based Incentive Payments ($)",
    "Total Amount of Value-Based Incentive Payments ($)",
)

_SHORT, _LONG = "Average percentage of short-stay residents", "Average percentage of long-stay residents"
_PER_DAYS = "per 1,000 long-stay resident days"
CHAIN_MEASURES = {
    f"{_SHORT} who were re-hospitalized after a nursing home admission": "521",
    f"{_SHORT} who have had an outpatient emergency department visit": "522",
    f"{_SHORT} who newly received an antipsychotic medication": "434",
    f"{_SHORT} with pressure ulcers or pressure injuries that are new or worsened": "S_038_02_ADJ_RATE",
    f"{_SHORT} who are at or above an expected ability to care for themselves and move around at discharge": (
        "S_042_01_OBS_RATE"
    ),
    f"{_SHORT} who were assessed and appropriately given the seasonal influenza vaccine": "472",
    f"{_SHORT} who were assessed and appropriately given the  pneumococcal vaccine": "430",
    f"Average number of hospitalizations {_PER_DAYS}": "551",
    f"Average number of outpatient emergency department visits {_PER_DAYS}": "552",
    f"{_LONG} who received an antipsychotic medication": "419",
    f"{_LONG} experiencing one or more falls with major injury": "410",
    f"{_LONG} with pressure ulcers": "453",
    f"{_LONG} with a urinary tract infection": "407",
    f"{_LONG} who have or had a catheter inserted and left in their bladder": "406",
    f"{_LONG} whose ability to move independently worsened": "451",
    f"{_LONG} whose need for help with activities of daily living has increased": "401",
    f"{_LONG} who were assessed and appropriately given the seasonal influenza vaccine": "454",
    f"{_LONG} who were assessed and appropriately given the  pneumococcal vaccine": "415",
    f"{_LONG} who were physically restrained": "409",
    f"{_LONG} with new or worsened bowel or bladder incontinence": "405",
    f"{_LONG} who lose too much weight": "404",
    f"{_LONG} who have symptoms of depression": "408",
    f"{_LONG} who used antianxiety or hypnotic medication": "452",
    "Average rate of potentially preventable hospital readmissions 30 days after discharge from a SNF": (
        "S_004_01_PPR_PD_RSRR"
    ),
}
"""Column of the chain file to the code of the measure that it averages."""

CHAIN_VACCINATION = (
    "Average percentage of current residents up to date with COVID-19 vaccines",
    "Average percentage of healthcare personnel up to date with COVID-19 vaccines",
)
"""Until June 2025."""

CHAIN = (
    *("Number of facilities", "Number of states and territories with operations"),
    *("Number of Special Focus Facilities (SFF)", "Number of SFF candidates"),
    *("Number of facilities with an abuse icon", "Percentage of facilities with an abuse icon"),
    *(f"Percent of facilities classified as {kind}" for kind in ("for-profit", "non-profit", "government-owned")),
    *(f"Average {kind} rating" for kind in ("overall 5-star", "health inspection", "staffing", "quality")),
    *(f"Average total {kind} hours per resident day" for kind in ("nurse", "weekend nurse", "Registered Nurse")),
    *("Average total nursing staff turnover percentage", "Average Registered Nurse turnover percentage"),
    *("Average number of administrators who have left the nursing home", "Total number of fines"),
    *("Average number of fines", "Total amount of fines in dollars", "Average amount of fines in dollars"),
    *("Total number of payment denials", "Average number of payment denials"),
    *CHAIN_MEASURES,
)
"""The columns after the chain's name and number, less the vaccination."""
