"""The columns of Provider Information by subject, in the order of CMS's file.

A quantity that CMS redefined has a name of its own: ``cycle_2_3_...`` of 2025 counts two cycles and is not
``cycle_2_...``; the residents on the survey day of 2017 are not the average residents per day.

Sources: the headers of 2021-2026, and for the years before 2020 the column list of CMS's Nursing Home Compare data
dictionary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.shared import ADDRESS, CITY, LOCATION, NAME, PROCESSING_DATE, PROVIDER_ID, STATE, ZIP
from nh_pipeline.model.columns import count, date, decimal, degrees, hprd, money, percent, stars, text

if TYPE_CHECKING:
    from nh_pipeline.model.columns import Column


def _footnote(of: str, label: str) -> Column:
    return text(f"{of}_footnote", "Number of the footnote that explains a blank", label)


def _mean_stars(name: str, what: str, label: str) -> Column:
    return decimal(5, 2, name, f"Mean {what} rating in the chain", label, unit="stars")


_HOME = (
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
    decimal(7, 1, "average_residents_per_day", "Mean daily census; may exceed the certified beds",
            "Average Number of Residents per Day", "RESTOT", unit="residents"),
    _footnote("average_residents_per_day", "Average Number of Residents per Day Footnote"),
    count("residents_in_certified_beds", "Residents on the day of the last survey (2017 and before)",
          "Number of Residents in Certified Beds", unit="residents"),
    text("provider_type", "Medicare, Medicaid or both", "Provider Type", "CERTIFICATION"),
    text("in_hospital", "Y if the home is within a hospital", "Provider Resides in Hospital", "INHOSP"),
    text("legal_business_name", "Name of the legal entity", "Legal Business Name", "LBN"),
    date("date_first_approved", "First approved for Medicare or Medicaid",
         "Date First Approved to Provide Medicare and Medicaid Services", "PARTICIPATION_DATE"),
)  # fmt: skip

_CHAIN = (
    text("chain_name", "Chain (affiliated entity) that the home belongs to", "Chain Name", "Affiliated Entity Name"),
    text("chain_id", "CMS's number of the chain", "Chain ID", "Affiliated Entity ID"),
    count("chain_facilities", "Nursing homes in the chain", "Number of Facilities in Chain"),
    _mean_stars("chain_overall_rating", "overall", "Chain Average Overall 5-star Rating"),
    _mean_stars("chain_health_inspection_rating", "health inspection", "Chain Average Health Inspection Rating"),
    _mean_stars("chain_staffing_rating", "staffing", "Chain Average Staffing Rating"),
    _mean_stars("chain_qm_rating", "quality measure", "Chain Average QM Rating"),
)

_STATUS = (
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
)  # fmt: skip


def _rating(name: str, what: str, label: str, older: str) -> tuple[Column, Column]:
    footnote = f"Number of the footnote that explains a blank {what} rating"
    return (
        stars(name, f"{what.capitalize()} rating", label, older, required=name == "overall_rating"),
        text(f"{name}_footnote", footnote, f"{label} Footnote", f"{older}_fn"),
    )


_RATINGS = (
    *_rating("overall_rating", "overall", "Overall Rating", "overall_rating"),
    *_rating("health_inspection_rating", "health inspection", "Health Inspection Rating", "survey_rating"),
    *_rating("qm_rating", "quality measure", "QM Rating", "quality_rating"),
    *_rating("long_stay_qm_rating", "long-stay quality measure", "Long-Stay QM Rating", "ls_quality_rating"),
    *_rating("short_stay_qm_rating", "short-stay quality measure", "Short-Stay QM Rating", "ss_quality_rating"),
    *_rating("staffing_rating", "staffing", "Staffing Rating", "staffing_rating"),
    *_rating("rn_staffing_rating", "RN staffing (until 2022)", "RN Staffing Rating", "rn_staffing_rating"),
)

HPRD = "Staffing Hours per Resident per Day"
"""How the header cells of hours per resident day end."""


def _hprd_of(kind: str, what: str, label: str, old_label: str, *prefixes: str) -> tuple[Column, ...]:
    """Four columns, aide to total, of the case-mix (once "expected") or the adjusted hours."""
    jobs = {"aide": ("Nurse Aide", "CNA"), "lpn": ("LPN", "LPN"), "rn": ("RN", "RN"), "total": ("Total Nurse",) * 2}
    return tuple(
        hprd(
            f"{kind}_{job}_hprd", f"{what} {long} staffing", f"{label} {long} {HPRD}", f"{old_label} {old} {HPRD}",
            *(f"{prefix}_{job}" for prefix in prefixes),
        )
        for job, (long, old) in jobs.items()
    )  # fmt: skip


REPORTED_STAFFING = (
    hprd("reported_aide_hprd", "Reported nurse aides", f"Reported Nurse Aide {HPRD}", f"Reported CNA {HPRD}",
         "AIDHRD"),
    hprd("reported_lpn_hprd", "Reported LPNs", f"Reported LPN {HPRD}", "VOCHRD"),
    hprd("reported_rn_hprd", "Reported RNs", f"Reported RN {HPRD}", "RNHRD"),
    hprd("reported_licensed_hprd", "Reported RNs and LPNs", f"Reported Licensed {HPRD}", "TOTLICHRD"),
    hprd("reported_total_hprd", "Reported nurses and aides", f"Reported Total Nurse {HPRD}", "TOTHRD"),
    hprd("weekend_total_hprd", "Reported nurses and aides on Saturdays and Sundays",
         "Total number of nurse staff hours per resident per day on the weekend"),
    hprd("weekend_rn_hprd", "Reported RNs on Saturdays and Sundays",
         "Registered Nurse hours per resident per day on the weekend"),
    hprd("reported_pt_hprd", "Reported physical therapists", f"Reported Physical Therapist {HPRD}", "PTHRD"),
)  # fmt: skip
"""What Provider Information and the state averages report alike."""

_STAFFING = (
    text("reported_staffing_footnote", "Number of the footnote on reported staffing", "Reported Staffing Footnote",
         "STAFFING_FLAG"),
    text("pt_staffing_footnote", "Number of the footnote on physical therapists",
         "Physical Therapist Staffing Footnote", "PT_STAFFING_FLAG"),
    *REPORTED_STAFFING,
    percent("total_nursing_turnover", "Nursing staff who left in a year", "Total nursing staff turnover"),
    _footnote("total_nursing_turnover", "Total nursing staff turnover footnote"),
    percent("rn_turnover", "RNs who left in a year", "Registered Nurse turnover"),
    _footnote("rn_turnover", "Registered Nurse turnover footnote"),
    count("administrator_departures", "Administrators who left in a year",
          "Number of administrators who have left the nursing home"),
    _footnote("administrator_departures", "Administrator turnover footnote"),
    decimal(9, 5, "case_mix_index", "Nursing case-mix index", "Nursing Case-Mix Index"),
    decimal(9, 5, "case_mix_index_ratio", "Nursing case-mix index over the national one",
            "Nursing Case-Mix Index Ratio"),
    *_hprd_of("case_mix", "Case-mix (before 2018: expected)", "Case-Mix", "Expected", "cm", "exp"),
    hprd("case_mix_weekend_total_hprd", "Case-mix total nurse staffing at weekends",
         f"Case-Mix Weekend Total Nurse {HPRD}"),
    *_hprd_of("adjusted", "Case-mix adjusted", "Adjusted", "Adjusted", "adj"),
    hprd("adjusted_weekend_total_hprd", "Case-mix adjusted total nurse staffing at weekends",
         f"Adjusted Weekend Total Nurse {HPRD}"),
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


def _of_cycle(name: str, what: str, *labels: str) -> Column:
    if name.endswith("score"):
        return decimal(9, 3, name, what.capitalize(), *labels, unit="points")
    return count(name, what.capitalize(), *labels)


def _cycle(number: int) -> tuple[Column, ...]:
    day = "Standard Survey Health Date" if number == 1 else "Standard Health Survey Date"
    cycle = f"Cycle {number}"
    return (
        date(f"cycle_{number}_survey_date", f"Day of the standard health survey, rating cycle {number}",
             f"Rating {cycle} {day}", f"{cycle} {day}", f"cycle_{number}_survey_date"),
        *(
            _of_cycle(f"cycle_{number}_{name}", f"{what}, rating cycle {number}",
                      f"Rating {cycle} {label}", f"{cycle} {label}", f"cycle_{number}_{short}")
            for name, label, short, what in _CYCLE
        ),
    )  # fmt: skip


_SURVEYS = (
    *_cycle(1),
    *_cycle(2),
    *_cycle(3),
    *(
        _of_cycle(f"cycle_2_3_{name}", f"{what}, rating cycles 2 and 3 together (2025 on)", f"Rating Cycle 2/3 {label}")
        for name, label, _, what in _CYCLE
        if name != "standard_deficiencies"
    ),
    decimal(9, 3, "weighted_health_survey_score", "Weighted points of all rating cycles",
            "Total Weighted Health Survey Score", "WEIGHTED_ALL_CYCLES_SCORE", unit="points"),
)  # fmt: skip

_EVENTS = (
    count("facility_reported_incidents", "Incidents that the home reported (until 2026)",
          "Number of Facility Reported Incidents", "incident_cnt"),
    count("substantiated_complaints", "Complaints found true (until 2026)", "Number of Substantiated Complaints",
          "cmplnt_cnt"),
    count("infection_control_citations", "Citations from infection control inspections",
          "Number of Citations from Infection Control Inspections"),
    count("fines", "Fines in three years", "Number of Fines", "FINE_CNT"),
    money("total_fine_dollars", "Sum of the fines in three years", "Total Amount of Fines in Dollars", "FINE_TOT"),
    count("payment_denials", "Payment denials in three years", "Number of Payment Denials", "PAYDEN_CNT"),
    count("total_penalties", "Fines and payment denials in three years", "Total Number of Penalties",
          "TOT_PENLTY_CNT"),
)  # fmt: skip

_PLACE = (
    LOCATION,
    degrees("latitude", "Degrees north", "Latitude", most=90),
    degrees("longitude", "Degrees east, negative in the west", "Longitude", most=180),
    text("geocoding_footnote", "Number of the footnote on the coordinates", "Geocoding Footnote"),
)

COLUMNS = (*_HOME, *_CHAIN, *_STATUS, *_RATINGS, *_STAFFING, *_SURVEYS, *_EVENTS, *_PLACE, PROCESSING_DATE)
