"""``treatments_gold.dim_providers``: who treated. Where is said by the treatment: a provider has several places."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.marts.treatments.shared import UNKNOWN, dimension, key, latest
from nh_pipeline.marts.treatments.treatments import TREATMENTS
from nh_pipeline.model.columns import text
from nh_pipeline.model.mart import Mart

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_SQL = {
    "provider_sk": "provider_id",
    "full_name": "provider_full_name",
    "affiliated_hospital": "provider_affiliated_hospital",
    "speciality_sk": f"coalesce(provider_speciality_id, {UNKNOWN})",
}


def dim_providers(treatments: DataFrame) -> DataFrame:
    """Providers, as the latest treatment shows them."""
    return dimension(latest(treatments, "provider_id"), DIM_PROVIDERS.columns, _SQL)


MART = Mart(
    "dim_providers",
    database="treatments_gold",
    description="Providers, one row each, as the treatment shows them that was changed last.",
    grain=("provider_sk",),
    columns=(
        key("provider_sk", "The provider: provider_id of the source"),
        text("full_name", "Name"),
        text("affiliated_hospital", "Hospital or home"),
        TREATMENTS.by_name["facility_ccn"],
        key("speciality_sk", "Speciality"),
    ),
    reads=(TREATMENTS,),
    transform=dim_providers,
    foreign_keys=(("speciality_sk", "treatments_gold.dim_specialities.speciality_sk"),),
    caution="Not silver.dim_providers, which is of CMS's homes: facility_ccn leads there",
)

DIM_PROVIDERS = MART.table
