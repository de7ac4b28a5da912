"""Facility map: which nursing homes organizations are that are known to no list. A file that users keep.

A person confirms here what ``clinical_silver.facility_crosswalk`` cannot tell, or tells wrongly by address or name.
"""

from __future__ import annotations

from nh_pipeline.datasets.cms.shared import ANY
from nh_pipeline.model.columns import ccn, text
from nh_pipeline.model.dataset import Dataset
from nh_pipeline.model.kinds import PerRelease

FACILITY_MAP = Dataset(
    name="facility_map",
    title="Facility map",
    eras=ANY,
    told_by=("organization_id", "provider_id"),
    key=("organization_id",),
    every_facility=False,
    columns=(
        text("organization_id", "Organization.id in the records", "organization_id", required=True, nullable=False),
        ccn("provider_id", "CMS Certification Number (CCN) of the facility that it is", "ccn", required=True),
    ),
    tables=(
        PerRelease(
            "dim_facility_map",
            description="Which facilities organizations of the records are, as confirmed: one row per organization.",
            foreign_keys=(("provider_id", "silver.dim_providers.provider_id"),),
            caution="The last delivery is all of the table: a line that is left out is taken back",
        ),
    ),
)

DIM_FACILITY_MAP = FACILITY_MAP["dim_facility_map"]
