"""``clinical_silver.facilities``: the organizations of the records that are facilities of CMS.

Apart from the crosswalk, as tables of patients are made of it: they are built anew when a facility becomes known, not
with each organization that is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.marts.clinical.facility_crosswalk import FACILITY_CROSSWALK
from nh_pipeline.model.mart import Mart

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def facilities(crosswalk: DataFrame) -> DataFrame:
    """The organizations whose CCN is known."""
    return crosswalk.where("ccn is not null").select("organization_id", "ccn")


_OF = FACILITY_CROSSWALK.by_name

MART = Mart(
    "facilities",
    database="clinical_silver",
    description="Organizations of which it is known which facility of CMS they are, one row each.",
    grain=("organization_id",),
    sort=("organization_id",),
    columns=(_OF["organization_id"], _OF["ccn"].having(nullable=False, description="CMS Certification Number")),
    reads=(FACILITY_CROSSWALK,),
    transform=facilities,
    foreign_keys=(("ccn", "silver.dim_providers.provider_id"),),
    caution="Two organizations may be the same facility",
)

FACILITIES = MART.table
