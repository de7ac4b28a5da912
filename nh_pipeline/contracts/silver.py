"""Silver: typed, conformed tables. ``fct_staffing_levels``, ``dim_providers``, ``dim_claims``, ``dim_date``."""

from __future__ import annotations

import pandera.pyspark as pa
from pyspark.sql import types as T

from nh_pipeline.contracts.base import (
    Contract,
    Rule,
    category,
    ccn,
    column,
    count,
    date,
    decimal,
    flag,
    hours,
    stars,
    text,
)

STAFF_GROUPS: dict[str, str] = {
    "rndon": "RN director of nursing",
    "rnadmin": "RN with administrative duties",
    "rn": "registered nurse",
    "lpnadmin": "LPN with administrative duties",
    "lpn": "licensed practical nurse",
    "cna": "certified nurse aide",
    "natrn": "nurse aide in training",
    "medaide": "medication aide / technician",
}
"""The eight staff groups of the PBJ file and what they are."""

ROLLUPS: dict[str, tuple[str, ...]] = {
    "rn_hours": ("rndon", "rnadmin", "rn"),
    "lpn_hours": ("lpnadmin", "lpn"),
    "aide_hours": ("cna", "natrn", "medaide"),
    "total_hours": tuple(STAFF_GROUPS),
    "direct_care_hours": ("rn", "lpn", "cna", "natrn", "medaide"),
}
"""Which groups each roll-up adds (domain: RN includes the director of nursing, direct care excludes admin)."""

ROLLUP_TITLES: dict[str, str] = {
    "rn_hours": "registered nurse hours: RNDON + RNadmin + RN",
    "lpn_hours": "licensed practical nurse hours: LPNadmin + LPN",
    "aide_hours": "nurse aide hours: CNA + NAtrn + MedAide",
    "total_hours": "all nurse staffing hours: the eight groups",
    "direct_care_hours": "direct care hours: RN + LPN + CNA + NAtrn + MedAide, no director, no admin",
    "contract_hours": "contract staff hours: the eight _ctr columns",
}

HOUR_COLUMNS: tuple[str, ...] = tuple(f"hrs_{g}{s}" for g in STAFF_GROUPS for s in ("", "_emp", "_ctr"))
"""The 24 hours columns of the PBJ file, in its order."""

_KIND = {"": "total", "_emp": "employees", "_ctr": "contract staff"}

FCT_STAFFING_LEVELS = Contract(
    schema=pa.DataFrameSchema(
        name="silver.fct_staffing_levels",
        description="Daily nurse staffing hours and resident census per nursing home.",
        unique=["provider_id", "work_date"],
        columns={
            "provider_id": ccn("PROVNUM"),
            "work_date": date("The day", source="WorkDate"),
            "cy_qtr": text("Calendar quarter of the source file", source="CY_Qtr"),
            "state": text("State of the nursing home as the PBJ file gives it", nullable=True, source="STATE"),
            "census": count("Residents that day (a stock: sum it over days for resident-days)", source="MDScensus"),
            **{
                f"hrs_{group}{suffix}": hours(f"{title}, {kind}", source=f"Hrs_{group}{suffix}")
                for group, title in STAFF_GROUPS.items()
                for suffix, kind in _KIND.items()
            },
            **{name: hours(title, precision=11) for name, title in ROLLUP_TITLES.items()},
            "is_zero_census": flag("No residents that day: hours count, the day is left out of HPRD"),
            "is_missing_hours": flag("Residents but no nurse hours at all"),
            "is_implausible_hours": flag("More than 24 nurse hours per resident: kept, not believed"),
            "is_unbalanced": flag("Some group's total differs from employees + contract by more than 0.01"),
            "delivery_id": text("Delivery that the row comes from (md5 of the delivered file)"),
        },
    ),
    layout="month",
    sort=("work_date", "provider_id"),
    rules=(
        Rule(
            "rollups_add_up",
            "rn_hours + lpn_hours + aide_hours = total_hours",
            "RN + LPN + aide must be the total: the roll-up expressions disagree with each other",
        ),
        Rule(
            "date_in_quarter",
            "cy_qtr = concat(cast(year(work_date) as string), 'Q', cast(quarter(work_date) as string))",
            "work_date lies outside its CY_Qtr: such lines belong in the rejects",
        ),
        Rule(
            "groups_balance",
            "not is_unbalanced",
            "X differs from X_emp + X_ctr in the source: rows are kept and flagged is_unbalanced; tell CMS",
            blocking=False,
        ),
        Rule(
            "hours_plausible",
            "not is_implausible_hours",
            "more than 24 hours per resident: rows are kept and flagged; leave them out where they distort",
            blocking=False,
        ),
    ),
    foreign_keys=(("provider_id", "silver.dim_providers.provider_id"), ("work_date", "silver.dim_date.date")),
)

_VALIDITY = {
    "valid_from": date("First day of the version: Processing Date of the release that shows it"),
    "valid_to": date("First day after the version; NULL while current", nullable=True),
    "is_current": flag("The version of the latest release"),
    "closed_reason": category(
        "Why the version ended: the next one differs, or the key is absent from the next release",
        ["changed", "absent"],
        nullable=True,
    ),
    "is_reappearance": flag("The key was absent from the release before"),
    "release_delivery_id": text("Delivery whose release opened the version"),
}
_SCD2_RULES = (
    Rule("interval_not_empty", "valid_to is null or valid_from < valid_to", "a version must last at least a day"),
    Rule("current_is_open", "is_current = (valid_to is null)", "the current version has no end, others have one"),
)

_PROVIDER_ATTRIBUTES = {
    "provider_name": text("Name", nullable=True, source="Provider Name"),
    "address": text("Street address", nullable=True, source="Provider Address"),
    "city": text("City", nullable=True, source="City/Town"),
    "state": text("State", nullable=True, source="State"),
    "zip_code": text("ZIP code", nullable=True, source="ZIP Code"),
    "county": text("County", nullable=True, source="County/Parish"),
    "ownership_type": text("Ownership", nullable=True, source="Ownership Type"),
    "provider_type": text("Medicare / Medicaid participation", nullable=True, source="Provider Type"),
    "in_hospital": text("Resides in a hospital (Y/N)", nullable=True, source="Provider Resides in Hospital"),
    "legal_business_name": text("Legal business name", nullable=True, source="Legal Business Name"),
    "certified_beds": count("Federally certified beds", nullable=True, source="Number of Certified Beds", unit="beds"),
    "chain_name": text("Chain (affiliated entity)", nullable=True, source="Chain Name"),
    "chain_id": text("Chain identifier", nullable=True, source="Chain ID"),
    "continuing_care_community": text(
        "Continuing care retirement community (Y/N)", nullable=True, source="Continuing Care Retirement Community"
    ),
    "special_focus_status": text("SFF, SFF Candidate or NULL", nullable=True, source="Special Focus Status"),
    "abuse_icon": text("Abuse icon (Y/N)", nullable=True, source="Abuse Icon"),
    "overall_rating": stars("Overall five-star rating", source="Overall Rating"),
    "health_inspection_rating": stars(
        "Health inspection rating (relative to the state)", source="Health Inspection Rating"
    ),
    "qm_rating": stars("Quality measure rating", source="QM Rating"),
    "long_stay_qm_rating": stars("Long-stay quality measure rating", source="Long-Stay QM Rating"),
    "short_stay_qm_rating": stars("Short-stay quality measure rating", source="Short-Stay QM Rating"),
    "staffing_rating": stars("Staffing rating", source="Staffing Rating"),
    "overall_rating_footnote": text("Why there is no overall rating", nullable=True, source="Overall Rating Footnote"),
    "staffing_rating_footnote": text(
        "Why there is no staffing rating", nullable=True, source="Staffing Rating Footnote"
    ),
}

DIM_PROVIDERS = Contract(
    schema=pa.DataFrameSchema(
        name="silver.dim_providers",
        description="Nursing homes and their ratings over time (SCD2): one row per provider and version.",
        unique=["provider_id", "valid_from"],
        columns={"provider_id": ccn("CMS Certification Number (CCN)"), **_PROVIDER_ATTRIBUTES, **_VALIDITY},
    ),
    layout="whole",
    sort=("provider_id", "valid_from"),
    rules=_SCD2_RULES,
    tracked=tuple(_PROVIDER_ATTRIBUTES),
    caseless=frozenset({"ownership_type", "provider_type", "special_focus_status"}),
)

CLAIMS_MEASURES: dict[str, str] = {
    "521": "rehospitalization_521",
    "522": "outpatient_ed_522",
    "551": "hospitalizations_551",
    "552": "ed_visits_552",
}
"""The four claims-based measures and their gold columns (521, 522: percent of short stays; 551, 552: per 1,000
long-stay resident days; lower is better)."""

_CLAIMS_ATTRIBUTES = {
    "adjusted_score": decimal(12, 6, "Risk-adjusted score", source="Adjusted Score"),
    "observed_score": decimal(12, 6, "Observed score", source="Observed Score"),
    "expected_score": decimal(12, 6, "Expected score", source="Expected Score"),
    "footnote": text("Why there is no score", nullable=True, source="Footnote for Score"),
    "resident_type": text("Short Stay or Long Stay", nullable=True, source="Resident type"),
    "used_in_five_star": text(
        "Counts in the five-star rating (Y/N)", nullable=True, source="Used in Quality Measure Five Star Rating"
    ),
    "measure_period": text("Period that the score covers", nullable=True, source="Measure Period"),
}

DIM_CLAIMS = Contract(
    schema=pa.DataFrameSchema(
        name="silver.dim_claims",
        description="Medicare claims-based quality measures over time (SCD2): one row per provider, measure, version.",
        unique=["provider_id", "measure_code", "valid_from"],
        columns={
            "provider_id": ccn("CMS Certification Number (CCN)"),
            "measure_code": text("CMS measure code (521, 522, 551, 552)", source="Measure Code"),
            **_CLAIMS_ATTRIBUTES,
            **_VALIDITY,
        },
    ),
    layout="whole",
    sort=("provider_id", "measure_code", "valid_from"),
    rules=_SCD2_RULES,
    foreign_keys=(("provider_id", "silver.dim_providers.provider_id"),),
    tracked=tuple(_CLAIMS_ATTRIBUTES),
    caseless=frozenset({"resident_type"}),
)

DIM_DATE = Contract(
    schema=pa.DataFrameSchema(
        name="silver.dim_date",
        description="Calendar, 2017-01-01 to 2035-12-31: one row per day.",
        unique=["date_id"],
        columns={
            "date_id": column(T.IntegerType(), "The day as yyyymmdd"),
            "date": date("The day"),
            "year": column(T.IntegerType(), "Calendar year"),
            "quarter": column(T.IntegerType(), "Quarter of the year", checks=[pa.Check.in_range(1, 4)]),
            "cy_qtr": text("Calendar quarter as CMS writes it (2024Q2)"),
            "month": column(T.IntegerType(), "Month of the year", checks=[pa.Check.in_range(1, 12)]),
            "month_start": date("First day of the month"),
            "iso_week": column(T.IntegerType(), "ISO week of the year", checks=[pa.Check.in_range(1, 53)]),
            "day_of_week": column(T.IntegerType(), "1 = Sunday to 7 = Saturday", checks=[pa.Check.in_range(1, 7)]),
            "is_weekend": flag("Saturday or Sunday"),
        },
    ),
    layout="whole",
    sort=("date_id",),
)
