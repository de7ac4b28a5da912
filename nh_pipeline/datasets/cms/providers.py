"""Provider Information: every certified nursing home with its attributes, ratings and reported staffing (monthly)."""

from __future__ import annotations

from nh_pipeline.datasets.cms.provider_columns import COLUMNS
from nh_pipeline.datasets.cms.shared import PROCESSING_DATE, PROVIDER_INFORMATION
from nh_pipeline.model.dataset import Dataset
from nh_pipeline.model.kinds import PerRelease, Scd2

PROVIDERS = Dataset(
    name="providers",
    title="Provider Information",
    eras=PROVIDER_INFORMATION,
    told_by=("certified_beds", "overall_rating", "health_inspection_rating", "staffing_rating"),
    released_by=PROCESSING_DATE,
    key=("provider_id",),
    columns=COLUMNS,
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
        PerRelease(
            "fct_provider_releases",
            description="All that Provider Information reports in each release: one row per nursing home.",
            foreign_keys=(("provider_id", "silver.dim_providers.provider_id"),),
            caution=(
                "Staffing is of a quarter that ended half a year before the release, fines and surveys are of three "
                "rolling years: take one release, never a sum over releases"
            ),
        ),
    ),
)

DIM_PROVIDERS = PROVIDERS["dim_providers"]
FCT_PROVIDER_RELEASES = PROVIDERS["fct_provider_releases"]
