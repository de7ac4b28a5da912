"""Provider Information: every certified nursing home with its attributes, ratings and reported staffing (monthly).

A quantity that CMS redefined has a name of its own: ``cycle_2_3_...`` of 2025 counts two cycles and is not
``cycle_2_...``; the residents on the survey day of 2017 are not the average residents per day.

Sources: the headers of Aug 2021, Nov 2024 and Jul-Dec 2025, and for the years before 2020 the column list of CMS's
Nursing Home Compare data dictionary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.shared import (
    ADDRESS,
    CITY,
    LOCATION,
    NAME,
    PROCESSING_DATE,
    PROVIDER_ID,
    PROVIDER_INFORMATION,
    STATE,
    ZIP,
)
from nh_pipeline.model.columns import count, stars, text
from nh_pipeline.model.dataset import Dataset
from nh_pipeline.model.kinds import Scd2

if TYPE_CHECKING:
    from nh_pipeline.model.columns import Column


def _rating(name: str, what: str, label: str, older: str) -> tuple[Column, Column]:
    footnote = f"Number of the footnote that explains a blank {what} rating"
    return (
        stars(name, f"{what.capitalize()} rating", label, older, required=name == "overall_rating"),
        text(f"{name}_footnote", footnote, f"{label} Footnote", f"{older}_fn"),
    )


def _hprd(name: str, what: str, label: str, *older: str) -> Column:
    return text(name, f"{what}, hours per resident day".capitalize(), label, *older)


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
        text(f"cycle_{number}_survey_date", f"Date of the standard health survey, rating cycle {number}",
             f"Rating {cycle} {date}", f"{cycle} {date}", f"cycle_{number}_survey_date"),
        *(
            text(f"cycle_{number}_{name}", f"{what}, rating cycle {number}".capitalize(),
                 f"Rating {cycle} {label}", f"{cycle} {label}", f"cycle_{number}_{short}")
            for name, label, short, what in _CYCLE
        ),
    )  # fmt: skip


_COLUMNS = (
    PROVIDER_ID,
    NAME.having(required=True),
    ADDRESS,
    CITY,
    STATE.having(required=True),
    ZIP,
    text("phone_number", "Ten digits", "Telephone Number", "Provider Phone Number", "PHONE"),
    text("ssa_county_code", "SSA county code (not FIPS)", "Provider SSA County Code", "Provider SSA County",
            "COUNTY_SSA"),
    text("county", "County or parish", "County/Parish", "Provider County Name", "COUNTY_NAME"),
    text("urban", "Y if in an urban area", "Urban"),
    text("ownership_type", "Kind of owner, such as For profit - Corporation", "Ownership Type", "OWNERSHIP"),
    count("certified_beds", "Federally certified beds", "Number of Certified Beds", "BEDCERT", unit="beds",
          required=True),
    text("average_residents_per_day", "Mean daily census, one decimal", "Average Number of Residents per Day",
            "RESTOT"),
    text("average_residents_per_day_footnote", "Number of the footnote that explains a blank",
            "Average Number of Residents per Day Footnote"),
    text("residents_in_certified_beds", "Residents on the day of the last survey (2017 and before)",
            "Number of Residents in Certified Beds"),
    text("provider_type", "Medicare, Medicaid or both", "Provider Type", "CERTIFICATION"),
    text("in_hospital", "Y if the home is within a hospital", "Provider Resides in Hospital", "INHOSP"),
    text("legal_business_name", "Name of the legal entity", "Legal Business Name", "LBN"),
    text("date_first_approved", "First approved for Medicare or Medicaid",
            "Date First Approved to Provide Medicare and Medicaid Services", "PARTICIPATION_DATE"),
    text("chain_name", "Chain (affiliated entity) that the home belongs to", "Chain Name", "Affiliated Entity Name"),
    text("chain_id", "CMS's number of the chain", "Chain ID", "Affiliated Entity ID"),
    text("chain_facilities", "Nursing homes in the chain", "Number of Facilities in Chain"),
    text("chain_overall_rating", "Mean overall rating in the chain", "Chain Average Overall 5-star Rating"),
    text("chain_health_inspection_rating", "Mean health inspection rating in the chain",
            "Chain Average Health Inspection Rating"),
    text("chain_staffing_rating", "Mean staffing rating in the chain", "Chain Average Staffing Rating"),
    text("chain_qm_rating", "Mean quality measure rating in the chain", "Chain Average QM Rating"),
    text("continuing_care_community", "Y if part of a continuing care retirement community",
            "Continuing Care Retirement Community", "CCRC_FACIL"),
    text("special_focus_status", "SFF or SFF Candidate, blank if neither (before 2019: Y or N)",
            "Special Focus Status", "Special Focus Facility", "SFF", "SFFStatus"),
    text("abuse_icon", "Y if cited for abuse", "Abuse Icon", "ABUSE_ICON"),
    text("inspected_over_2_years_ago", "Y if the last health inspection is over two years old",
            "Most Recent Health Inspection More Than 2 Years Ago", "OLDSURVEY"),
    text("changed_ownership", "Y if it changed its owner in the last 12 months",
            "Provider Changed Ownership in Last 12 Months", "CHOW_LAST_12MOS"),
    text("resident_family_council", "Resident, Family, Both or None", "With a Resident and Family Council",
            "RESFAMCOUNCIL"),
    text("sprinkler_status", "Sprinklers in all required areas: Yes, Partial, No or Data Not Available",
            "Automatic Sprinkler Systems in All Required Areas", "SPRINKLER_STATUS"),
    *_rating("overall_rating", "overall", "Overall Rating", "overall_rating"),
    *_rating("health_inspection_rating", "health inspection", "Health Inspection Rating", "survey_rating"),
    *_rating("qm_rating", "quality measure", "QM Rating", "quality_rating"),
    *_rating("long_stay_qm_rating", "long-stay quality measure", "Long-Stay QM Rating", "ls_quality_rating"),
    *_rating("short_stay_qm_rating", "short-stay quality measure", "Short-Stay QM Rating", "ss_quality_rating"),
    *_rating("staffing_rating", "staffing", "Staffing Rating", "staffing_rating"),
    *_rating("rn_staffing_rating", "RN staffing (until 2022)", "RN Staffing Rating", "rn_staffing_rating"),
    text("reported_staffing_footnote", "Number of the footnote on reported staffing", "Reported Staffing Footnote",
            "STAFFING_FLAG"),
    text("pt_staffing_footnote", "Number of the footnote on physical therapists",
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
    text("total_nursing_turnover", "Nursing staff who left in a year, per cent", "Total nursing staff turnover"),
    text("total_nursing_turnover_footnote", "Number of the footnote that explains a blank",
            "Total nursing staff turnover footnote"),
    text("rn_turnover", "RNs who left in a year, per cent", "Registered Nurse turnover"),
    text("rn_turnover_footnote", "Number of the footnote that explains a blank",
            "Registered Nurse turnover footnote"),
    text("administrator_departures", "Administrators who left in a year",
            "Number of administrators who have left the nursing home"),
    text("administrator_departures_footnote", "Number of the footnote that explains a blank",
            "Administrator turnover footnote"),
    text("case_mix_index", "Nursing case-mix index", "Nursing Case-Mix Index"),
    text("case_mix_index_ratio", "Nursing case-mix index over the national one", "Nursing Case-Mix Index Ratio"),
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
        text(f"cycle_2_3_{name}", f"{what}, rating cycles 2 and 3 together (2025 on)".capitalize(),
             f"Rating Cycle 2/3 {label}")
        for name, label, _, what in _CYCLE
        if name != "standard_deficiencies"
    ),
    text("weighted_health_survey_score", "Weighted points of all rating cycles",
            "Total Weighted Health Survey Score", "WEIGHTED_ALL_CYCLES_SCORE"),
    text("facility_reported_incidents", "Incidents that the home reported", "Number of Facility Reported Incidents",
            "incident_cnt"),
    text("substantiated_complaints", "Complaints found true", "Number of Substantiated Complaints", "cmplnt_cnt"),
    text("infection_control_citations", "Citations from infection control inspections",
            "Number of Citations from Infection Control Inspections"),
    text("fines", "Fines in three years", "Number of Fines", "FINE_CNT"),
    text("total_fine_dollars", "Sum of the fines in three years, US dollars", "Total Amount of Fines in Dollars",
            "FINE_TOT"),
    text("payment_denials", "Payment denials in three years", "Number of Payment Denials", "PAYDEN_CNT"),
    text("total_penalties", "Fines and payment denials in three years", "Total Number of Penalties",
            "TOT_PENLTY_CNT"),
    LOCATION,
    text("latitude", "Degrees north", "Latitude"),
    text("longitude", "Degrees east", "Longitude"),
    text("geocoding_footnote", "Number of the footnote on the coordinates", "Geocoding Footnote"),
    PROCESSING_DATE,
)  # fmt: skip

PROVIDERS = Dataset(
    name="providers",
    title="Provider Information",
    eras=PROVIDER_INFORMATION,
    told_by=("certified_beds", "overall_rating", "health_inspection_rating", "staffing_rating"),
    released_by=PROCESSING_DATE,
    key=("provider_id",),
    columns=_COLUMNS,
    tables=(
        Scd2(
            "dim_providers",
            description="Nursing homes and their ratings over time (SCD2): one row per provider and version.",
            columns=(
                "provider_name",
                "address",
                "city",
                "state",
                "zip_code",
                "county",
                "ownership_type",
                "provider_type",
                "in_hospital",
                "legal_business_name",
                "certified_beds",
                "chain_name",
                "chain_id",
                "continuing_care_community",
                "special_focus_status",
                "abuse_icon",
                "overall_rating",
                "health_inspection_rating",
                "qm_rating",
                "long_stay_qm_rating",
                "short_stay_qm_rating",
                "staffing_rating",
                "overall_rating_footnote",
                "staffing_rating_footnote",
            ),
            caseless=frozenset({"ownership_type", "provider_type", "special_focus_status"}),
            caution="A health inspection rating ranks homes within their state: do not compare it between states",
        ),
    ),
)

DIM_PROVIDERS = PROVIDERS["dim_providers"]
