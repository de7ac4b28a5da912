"""The columns of the modelled CMS datasets: canonical name, meaning, and every header cell CMS has used for them.

What belongs here: one table of :class:`Column` for each modelled dataset, and nothing that reads a header (that is
:mod:`nh_pipeline.contracts.raw`) or gives a column a type (that is silver). A quantity that CMS redefined has a name
of its own: ``cycle_2_3_...`` of 2025 counts two cycles and is not ``cycle_2_...``; the residents on the survey day
of 2017 are not the average residents per day.

Sources: the headers of the deliveries of 2017-2025 (daily staffing), of Aug 2021, Nov 2024 and Jul-Dec 2025 (the
others), and for the years before 2020 the column lists of CMS's Nursing Home Compare data dictionary.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One canonical column.

    Attributes:
        name: The name used everywhere in the project.
        description: What the values mean, with their unit.
        labels: Header cells that CMS has used for it, in any case.
        required: Whether a file without it is refused.
    """

    name: str
    description: str
    labels: tuple[str, ...]
    required: bool = False


def _column(name: str, description: str, *labels: str, required: bool = False) -> Column:
    return Column(name, description, labels, required)


PROVIDER_ID = _column(
    "provider_id",
    "CMS Certification Number (CCN): six characters of text, leading zeros, a letter possible in position 3",
    "CMS Certification Number (CCN)",
    "Federal Provider Number",
    "PROVNUM",
    required=True,
)
PROCESSING_DATE = _column(
    "processing_date", "date of the CMS release that the row belongs to", "Processing Date", "FILEDATE", required=True
)
_NAME = _column("provider_name", "name of the nursing home", "Provider Name", "PROVNAME")
_ADDRESS = _column("address", "street address", "Provider Address", "ADDRESS")
_CITY = _column("city", "city or town", "City/Town", "Provider City", "CITY")
_STATE = _column("state", "two-letter postal code of the state or territory", "State", "Provider State")
_ZIP = _column("zip_code", "five-digit ZIP code", "ZIP Code", "Provider Zip Code", "ZIP")
_LOCATION = _column("location", "address in one line; in 2017 with coordinates and newlines", "Location")

# Paid hours by job, as CMS spells the job in its column names, and the older spelling of the total.
JOBS = {
    "rndon": ("registered nurses who are director of nursing", "hrs_rn_donadmin"),
    "rnadmin": ("registered nurses with administrative duties", ""),
    "rn": ("registered nurses", ""),
    "lpnadmin": ("licensed practical nurses with administrative duties", "hrs_lpn_admin"),
    "lpn": ("licensed practical nurses", ""),
    "cna": ("certified nurse aides", ""),
    "natrn": ("nurse aides in training", "hrs_na_trn"),
    "medaide": ("medication aides and technicians", ""),
}
_STAFF = {"": "employees and contract staff", "_emp": "employees", "_ctr": "contract staff"}


def _hours() -> tuple[Column, ...]:
    return tuple(
        Column(
            f"hrs_{job}{suffix}",
            f"paid hours of {title}, {staff}, that day",
            (f"hrs_{job}{suffix}", older) if older and not suffix else (f"hrs_{job}{suffix}",),
            required=True,
        )
        for job, (title, older) in JOBS.items()
        for suffix, staff in _STAFF.items()
    )


STAFFING = (
    PROVIDER_ID,
    _NAME,
    _CITY,
    _STATE,
    _column("county_name", "county or parish", "COUNTY_NAME"),
    _column("county_fips", "county part of the FIPS code; leading zeros are lost in some vintages", "COUNTY_FIPS"),
    _column("cy_qtr", "calendar quarter of the file, such as 2024Q2", "CY_Qtr", required=True),
    _column("work_date", "day worked, yyyymmdd", "WorkDate", required=True),
    _column("census", "residents that day, from MDS assessments", "MDScensus", required=True),
    *_hours(),
    _column("incomplete", "published for 2021Q4 only; CMS does not say what it marks", "incomplete"),
)

CLAIMS = (
    PROVIDER_ID,
    _NAME,
    _ADDRESS,
    _CITY,
    _STATE,
    _ZIP,
    _column("measure_code", "521, 522, 551 or 552", "Measure Code", "MSR_CD", required=True),
    _column("measure_description", "what the measure counts", "Measure Description", "MSR_DESCR"),
    _column("resident_type", "Short Stay or Long Stay", "Resident type", "STAY_TYPE"),
    _column("adjusted_score", "risk-adjusted: per cent (521, 522) or per 1,000 long-stay resident days (551, 552)",
            "Adjusted Score", "SCORE_ADJUSTED", required=True),
    _column("observed_score", "score before risk adjustment, same unit", "Observed Score", "SCORE_OBSERVED",
            required=True),
    _column("expected_score", "score expected from the residents' risks, same unit", "Expected Score",
            "SCORE_EXPECTED", required=True),
    _column("footnote", "number of the footnote that explains a blank score", "Footnote for Score", "SCORE_FN"),
    _column("used_in_five_star", "Y if the measure counts in the quality measure rating",
            "Used in Quality Measure Five Star Rating", "FIVE_STAR_MSR"),
    _column("measure_period", "days that the claims cover, yyyymmdd-yyyymmdd", "Measure Period", "MEASURE_PERIOD"),
    _LOCATION,
    PROCESSING_DATE,
)  # fmt: skip


def _rating(name: str, what: str, label: str, older: str) -> tuple[Column, Column]:
    footnote = f"number of the footnote that explains a blank {what} rating"
    return (
        Column(name, f"{what} rating, 1 to 5 stars", (label, older), required=name == "overall_rating"),
        Column(f"{name}_footnote", footnote, (f"{label} Footnote", f"{older}_fn")),
    )


def _hprd(name: str, what: str, label: str, *older: str) -> Column:
    return Column(name, f"{what}, hours per resident day", (label, *older))


_HPRD = "Staffing Hours per Resident per Day"


def _hprd_of(kind: str, what: str, label: str, old_label: str, *prefixes: str) -> tuple[Column, ...]:
    """Four columns, aide to total, of the case-mix (once "expected") or the adjusted hours."""
    jobs = {"aide": ("Nurse Aide", "CNA"), "lpn": ("LPN", "LPN"), "rn": ("RN", "RN"), "total": ("Total Nurse",) * 2}
    return tuple(
        _hprd(
            f"{kind}_{job}_hprd", f"{what} {long} staffing", f"{label} {long} {_HPRD}", f"{old_label} {old} {_HPRD}",
            *(f"{prefix}_{job}" for prefix in prefixes),
        )
        for job, (long, old) in jobs.items()
    )  # fmt: skip


_CYCLE = (
    ("health_deficiencies", "Total Number of Health Deficiencies", "defs", "health deficiencies"),
    ("standard_deficiencies", "Number of Standard Health Deficiencies", "nfromdefs", "of them from standard surveys"),
    ("complaint_deficiencies", "Number of Complaint Health Deficiencies", "nfromcomp", "of them from complaints"),
    ("deficiency_score", "Health Deficiency Score", "defs_score", "points for deficiencies"),
    ("revisits", "Number of Health Revisits", "numrevis", "repeat revisits"),
    ("revisit_score", "Health Revisit Score", "revisit_score", "points for repeat revisits"),
    ("total_score", "Total Health Score", "total_score", "points in all"),
)


def _cycle(number: int) -> tuple[Column, ...]:
    date = "Standard Survey Health Date" if number == 1 else "Standard Health Survey Date"
    cycle = f"Cycle {number}"
    return (
        Column(f"cycle_{number}_survey_date", f"date of the standard health survey, rating cycle {number}",
               (f"Rating {cycle} {date}", f"{cycle} {date}", f"cycle_{number}_survey_date")),
        *(
            Column(f"cycle_{number}_{name}", f"{what}, rating cycle {number}",
                   (f"Rating {cycle} {label}", f"{cycle} {label}", f"cycle_{number}_{short}"))
            for name, label, short, what in _CYCLE
        ),
    )  # fmt: skip


PROVIDERS = (
    PROVIDER_ID,
    Column(_NAME.name, _NAME.description, _NAME.labels, required=True),
    _ADDRESS,
    _CITY,
    Column(_STATE.name, _STATE.description, _STATE.labels, required=True),
    _ZIP,
    _column("phone_number", "ten digits", "Telephone Number", "Provider Phone Number", "PHONE"),
    _column("ssa_county_code", "SSA county code (not FIPS)", "Provider SSA County Code", "Provider SSA County",
            "COUNTY_SSA"),
    _column("county", "county or parish", "County/Parish", "Provider County Name", "COUNTY_NAME"),
    _column("urban", "Y if in an urban area", "Urban"),
    _column("ownership_type", "kind of owner, such as For profit - Corporation", "Ownership Type", "OWNERSHIP"),
    _column("certified_beds", "federally certified beds", "Number of Certified Beds", "BEDCERT", required=True),
    _column("average_residents_per_day", "mean daily census, one decimal", "Average Number of Residents per Day",
            "RESTOT"),
    _column("average_residents_per_day_footnote", "number of the footnote that explains a blank",
            "Average Number of Residents per Day Footnote"),
    _column("residents_in_certified_beds", "residents on the day of the last survey (2017 and before)",
            "Number of Residents in Certified Beds"),
    _column("provider_type", "Medicare, Medicaid or both", "Provider Type", "CERTIFICATION"),
    _column("in_hospital", "Y if the home is within a hospital", "Provider Resides in Hospital", "INHOSP"),
    _column("legal_business_name", "name of the legal entity", "Legal Business Name", "LBN"),
    _column("date_first_approved", "first approved for Medicare or Medicaid",
            "Date First Approved to Provide Medicare and Medicaid Services", "PARTICIPATION_DATE"),
    _column("chain_name", "chain (affiliated entity) that the home belongs to", "Chain Name", "Affiliated Entity Name"),
    _column("chain_id", "CMS's number of the chain", "Chain ID", "Affiliated Entity ID"),
    _column("chain_facilities", "nursing homes in the chain", "Number of Facilities in Chain"),
    _column("chain_overall_rating", "mean overall rating in the chain", "Chain Average Overall 5-star Rating"),
    _column("chain_health_inspection_rating", "mean health inspection rating in the chain",
            "Chain Average Health Inspection Rating"),
    _column("chain_staffing_rating", "mean staffing rating in the chain", "Chain Average Staffing Rating"),
    _column("chain_qm_rating", "mean quality measure rating in the chain", "Chain Average QM Rating"),
    _column("continuing_care_community", "Y if part of a continuing care retirement community",
            "Continuing Care Retirement Community", "CCRC_FACIL"),
    _column("special_focus_status", "SFF or SFF Candidate, blank if neither (before 2019: Y or N)",
            "Special Focus Status", "Special Focus Facility", "SFF", "SFFStatus"),
    _column("abuse_icon", "Y if cited for abuse", "Abuse Icon", "ABUSE_ICON"),
    _column("inspected_over_2_years_ago", "Y if the last health inspection is over two years old",
            "Most Recent Health Inspection More Than 2 Years Ago", "OLDSURVEY"),
    _column("changed_ownership", "Y if it changed its owner in the last 12 months",
            "Provider Changed Ownership in Last 12 Months", "CHOW_LAST_12MOS"),
    _column("resident_family_council", "Resident, Family, Both or None", "With a Resident and Family Council",
            "RESFAMCOUNCIL"),
    _column("sprinkler_status", "sprinklers in all required areas: Yes, Partial, No or Data Not Available",
            "Automatic Sprinkler Systems in All Required Areas", "SPRINKLER_STATUS"),
    *_rating("overall_rating", "overall", "Overall Rating", "overall_rating"),
    *_rating("health_inspection_rating", "health inspection", "Health Inspection Rating", "survey_rating"),
    *_rating("qm_rating", "quality measure", "QM Rating", "quality_rating"),
    *_rating("long_stay_qm_rating", "long-stay quality measure", "Long-Stay QM Rating", "ls_quality_rating"),
    *_rating("short_stay_qm_rating", "short-stay quality measure", "Short-Stay QM Rating", "ss_quality_rating"),
    *_rating("staffing_rating", "staffing", "Staffing Rating", "staffing_rating"),
    *_rating("rn_staffing_rating", "RN staffing (until 2022)", "RN Staffing Rating", "rn_staffing_rating"),
    _column("reported_staffing_footnote", "number of the footnote on reported staffing", "Reported Staffing Footnote",
            "STAFFING_FLAG"),
    _column("pt_staffing_footnote", "number of the footnote on physical therapists",
            "Physical Therapist Staffing Footnote", "PT_STAFFING_FLAG"),
    _hprd("reported_aide_hprd", "reported nurse aides", f"Reported Nurse Aide {_HPRD}", f"Reported CNA {_HPRD}",
          "AIDHRD"),
    _hprd("reported_lpn_hprd", "reported LPNs", f"Reported LPN {_HPRD}", "VOCHRD"),
    _hprd("reported_rn_hprd", "reported RNs", f"Reported RN {_HPRD}", "RNHRD"),
    _hprd("reported_licensed_hprd", "reported RNs and LPNs", f"Reported Licensed {_HPRD}", "TOTLICHRD"),
    _hprd("reported_total_hprd", "reported nurses and aides", f"Reported Total Nurse {_HPRD}", "TOTHRD"),
    _hprd("weekend_total_hprd", "reported nurses and aides on Saturdays and Sundays",
          "Total number of nurse staff hours per resident per day on the weekend"),
    _hprd("weekend_rn_hprd", "reported RNs on Saturdays and Sundays",
          "Registered Nurse hours per resident per day on the weekend"),
    _hprd("reported_pt_hprd", "reported physical therapists", f"Reported Physical Therapist {_HPRD}", "PTHRD"),
    _column("total_nursing_turnover", "nursing staff who left in a year, per cent", "Total nursing staff turnover"),
    _column("total_nursing_turnover_footnote", "number of the footnote that explains a blank",
            "Total nursing staff turnover footnote"),
    _column("rn_turnover", "RNs who left in a year, per cent", "Registered Nurse turnover"),
    _column("rn_turnover_footnote", "number of the footnote that explains a blank",
            "Registered Nurse turnover footnote"),
    _column("administrator_departures", "administrators who left in a year",
            "Number of administrators who have left the nursing home"),
    _column("administrator_departures_footnote", "number of the footnote that explains a blank",
            "Administrator turnover footnote"),
    _column("case_mix_index", "nursing case-mix index", "Nursing Case-Mix Index"),
    _column("case_mix_index_ratio", "nursing case-mix index over the national one", "Nursing Case-Mix Index Ratio"),
    *_hprd_of("case_mix", "case-mix (before 2018: expected)", "Case-Mix", "Expected", "cm", "exp"),
    _hprd("case_mix_weekend_total_hprd", "case-mix Total Nurse staffing at weekends",
          f"Case-Mix Weekend Total Nurse {_HPRD}"),
    *_hprd_of("adjusted", "case-mix adjusted", "Adjusted", "Adjusted", "adj"),
    _hprd("adjusted_weekend_total_hprd", "case-mix adjusted Total Nurse staffing at weekends",
          f"Adjusted Weekend Total Nurse {_HPRD}"),
    *_cycle(1),
    *_cycle(2),
    *_cycle(3),
    *(
        Column(f"cycle_2_3_{name}", f"{what}, rating cycles 2 and 3 together (2025 on)", (f"Rating Cycle 2/3 {label}",))
        for name, label, _, what in _CYCLE
        if name != "standard_deficiencies"
    ),
    _column("weighted_health_survey_score", "weighted points of all rating cycles",
            "Total Weighted Health Survey Score", "WEIGHTED_ALL_CYCLES_SCORE"),
    _column("facility_reported_incidents", "incidents that the home reported", "Number of Facility Reported Incidents",
            "incident_cnt"),
    _column("substantiated_complaints", "complaints found true", "Number of Substantiated Complaints", "cmplnt_cnt"),
    _column("infection_control_citations", "citations from infection control inspections",
            "Number of Citations from Infection Control Inspections"),
    _column("fines", "fines in three years", "Number of Fines", "FINE_CNT"),
    _column("total_fine_dollars", "sum of the fines in three years, US dollars", "Total Amount of Fines in Dollars",
            "FINE_TOT"),
    _column("payment_denials", "payment denials in three years", "Number of Payment Denials", "PAYDEN_CNT"),
    _column("total_penalties", "fines and payment denials in three years", "Total Number of Penalties",
            "TOT_PENLTY_CNT"),
    _LOCATION,
    _column("latitude", "degrees north", "Latitude"),
    _column("longitude", "degrees east", "Longitude"),
    _column("geocoding_footnote", "number of the footnote on the coordinates", "Geocoding Footnote"),
    PROCESSING_DATE,
)  # fmt: skip
