"""COVID-19 vaccination of residents and staff, by nursing home and by state (NH_CovidVaxProvider, NH_CovidVaxAverages).

The figures have a date of their own, which is what a release of them is called after. CMS has stopped publishing them.
"""

from __future__ import annotations

from nh_pipeline.datasets.cms.shared import ANY, BY_PROVIDER, PROVIDER_ID, STATE
from nh_pipeline.model.columns import date, percent, text
from nh_pipeline.model.dataset import Dataset
from nh_pipeline.model.kinds import PerRelease

_UPDATED = date(
    "vaccination_date", "When the figures were updated", "Date vaccination data last updated", required=True
)
_SHARES = tuple(
    percent(name, description, label)
    for name, description, label in (
        (
            "residents_up_to_date",
            "Residents who are up to date on their vaccines; NULL where CMS has no figure",
            "Percent of residents who are up-to-date on their vaccines",
        ),
        (
            "staff_up_to_date",
            "Staff who are up to date on their vaccines; NULL where CMS has no figure",
            "Percent of staff who are up-to-date on their vaccines",
        ),
        ("residents_vaccinated", "Residents with the first series (2021-2022)", "Percent Vaccinated Residents"),
        ("staff_vaccinated", "Staff with the first series (2021-2022)", "Percent Vaccinated Healthcare Personnel"),
        (
            "residents_boosted",
            "Residents with a booster, of those with the first series (2022)",
            "Percent of Fully Vaccinated Residents who Received a Booster Dose",
        ),
        (
            "staff_boosted",
            "Staff with a booster, of those with the first series (2022)",
            "Percent of Fully Vaccinated Staff who Received a Booster Dose",
        ),
    )
)
_CAUTION = "What up to date means has changed with the vaccines: compare homes of one date, not dates"

COVID_VAX_PROVIDER = Dataset(
    name="covid_vax_provider",
    title="COVID-19 Vaccination Rates - Provider",
    eras=BY_PROVIDER,
    told_by=("provider_id", "state", "vaccination_date"),
    released_by=_UPDATED,
    on_the_first=False,
    key=("provider_id",),
    columns=(PROVIDER_ID, STATE, *_SHARES, _UPDATED),
    tables=(
        PerRelease(
            "fct_covid_vaccination",
            description="COVID-19 vaccination: one row per nursing home and date of the figures.",
            foreign_keys=(("provider_id", "silver.dim_providers.provider_id"),),
            caution=_CAUTION,
        ),
    ),
)

COVID_VAX_AVERAGES = Dataset(
    name="covid_vax_averages",
    title="COVID-19 Vaccination Rates - Averages",
    eras=ANY,
    told_by=("state_or_nation", "vaccination_date"),
    released_by=_UPDATED,
    on_the_first=False,
    key=("state_or_nation",),
    columns=(
        text(
            "state_or_nation", "Postal code of the state or territory; US is the nation", "State", required=True,
            nullable=False,
        ),
        *_SHARES,
        _UPDATED,
    ),
    tables=(
        PerRelease(
            "fct_covid_vaccination_averages",
            description="COVID-19 vaccination, mean of the nursing homes: one row per state and date of the figures.",
            caution=f"{_CAUTION}. Each home counts as much as any other, whatever its size",
        ),
    ),
)  # fmt: skip

FCT_COVID_VACCINATION = COVID_VAX_PROVIDER["fct_covid_vaccination"]
FCT_COVID_VACCINATION_AVERAGES = COVID_VAX_AVERAGES["fct_covid_vaccination_averages"]
