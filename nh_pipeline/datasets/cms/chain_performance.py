"""Nursing Home Chain Performance Measures: each chain ("affiliated entity" until 2025) by the means of its homes.

The file does not say of which month it is: the last one delivered is the table. Means are unweighted over the chain's
homes; the row National has no number of a chain.
"""

from __future__ import annotations

from nh_pipeline.datasets.cms.shared import ANY
from nh_pipeline.model.columns import Column, count, decimal, hprd, money, percent, text
from nh_pipeline.model.dataset import Dataset
from nh_pipeline.model.kinds import PerRelease

_SHORT, _LONG = "Average percentage of short-stay residents", "Average percentage of long-stay residents"
_GIVEN = "who were assessed and appropriately given the"


def _mean(name: str, label: str, unit: str = "") -> Column:
    return decimal(9, 2, name, label, label, unit=unit)


def _number(name: str, label: str) -> Column:
    return count(name, label, label)


def _share(name: str, label: str) -> Column:
    return percent(name, label, label)


CHAIN_PERFORMANCE = Dataset(
    name="chain_performance",
    title="Nursing Home Chain Performance Measures",
    eras=ANY,
    told_by=("chain_name", "chain_id", "facilities", "chain_overall_rating"),
    key=("chain_name", "chain_id"),
    columns=(
        text("chain_name", "Name of the chain; National for all nursing homes", "Chain", "Affiliated entity",
             required=True, nullable=False),
        text("chain_id", "CMS's number of the chain; NULL for National", "Chain ID", "Affiliated entity ID",
             required=True),
        _number("facilities", "Number of facilities").having(required=True),
        _number("states", "Number of states and territories with operations"),
        _number("special_focus_facilities", "Number of Special Focus Facilities (SFF)"),
        _number("special_focus_candidates", "Number of SFF candidates"),
        _number("abuse_icons", "Number of facilities with an abuse icon"),
        _share("abuse_icon_percent", "Percentage of facilities with an abuse icon"),
        _share("for_profit_percent", "Percent of facilities classified as for-profit"),
        _share("non_profit_percent", "Percent of facilities classified as non-profit"),
        _share("government_percent", "Percent of facilities classified as government-owned"),
        _mean("chain_overall_rating", "Average overall 5-star rating", "stars").having(required=True),
        _mean("chain_health_inspection_rating", "Average health inspection rating", "stars"),
        _mean("chain_staffing_rating", "Average staffing rating", "stars"),
        _mean("chain_qm_rating", "Average quality rating", "stars"),
        hprd("reported_total_hprd", "Reported nurses and aides", "Average total nurse hours per resident day"),
        hprd("weekend_total_hprd", "Reported nurses and aides on Saturdays and Sundays",
             "Average total weekend nurse hours per resident day"),
        hprd("reported_rn_hprd", "Reported RNs", "Average total Registered Nurse hours per resident day"),
        _share("total_nursing_turnover", "Average total nursing staff turnover percentage"),
        _share("rn_turnover", "Average Registered Nurse turnover percentage"),
        _mean("administrator_departures", "Average number of administrators who have left the nursing home"),
        _number("fines", "Total number of fines"),
        _mean("average_fines", "Average number of fines"),
        money("fine_dollars", "Total amount of fines", "Total amount of fines in dollars"),
        money("average_fine_dollars", "Average amount of fines of a home", "Average amount of fines in dollars"),
        _number("payment_denials", "Total number of payment denials"),
        _mean("average_payment_denials", "Average number of payment denials"),
        _share("rehospitalization_521", f"{_SHORT} who were re-hospitalized after a nursing home admission"),
        _share("outpatient_ed_522", f"{_SHORT} who have had an outpatient emergency department visit"),
        _share("ss_antipsychotic", f"{_SHORT} who newly received an antipsychotic medication"),
        _share("ss_pressure_ulcers",
               f"{_SHORT} with pressure ulcers or pressure injuries that are new or worsened"),
        _share("ss_expected_function",
               f"{_SHORT} who are at or above an expected ability to care for themselves and move around at discharge"),
        _share("ss_influenza_vaccine", f"{_SHORT} {_GIVEN} seasonal influenza vaccine"),
        _share("ss_pneumococcal_vaccine", f"{_SHORT} {_GIVEN} pneumococcal vaccine"),
        _mean("hospitalizations_551", "Average number of hospitalizations per 1,000 long-stay resident days"),
        _mean("ed_visits_552",
              "Average number of outpatient emergency department visits per 1,000 long-stay resident days"),
        _share("ls_antipsychotic", f"{_LONG} who received an antipsychotic medication"),
        _share("ls_falls", f"{_LONG} experiencing one or more falls with major injury"),
        _share("ls_pressure_ulcers", f"{_LONG} with pressure ulcers"),
        _share("ls_uti", f"{_LONG} with a urinary tract infection"),
        _share("ls_catheter", f"{_LONG} who have or had a catheter inserted and left in their bladder"),
        _share("ls_mobility_decline", f"{_LONG} whose ability to move independently worsened"),
        _share("ls_adl_decline", f"{_LONG} whose need for help with activities of daily living has increased"),
        _share("ls_influenza_vaccine", f"{_LONG} {_GIVEN} seasonal influenza vaccine"),
        _share("ls_pneumococcal_vaccine", f"{_LONG} {_GIVEN} pneumococcal vaccine"),
        _share("ls_restraints", f"{_LONG} who were physically restrained"),
        _share("ls_incontinence", f"{_LONG} with new or worsened bowel or bladder incontinence"),
        _share("ls_weight_loss", f"{_LONG} who lose too much weight"),
        _share("ls_depressive_symptoms", f"{_LONG} who have symptoms of depression"),
        _share("ls_antianxiety_hypnotic", f"{_LONG} who used antianxiety or hypnotic medication"),
        _share("preventable_readmissions",
               "Average rate of potentially preventable hospital readmissions 30 days after discharge from a SNF"),
        _share("residents_vaccinated",
               "Average percentage of current residents up to date with COVID-19 vaccines"),
        _share("staff_vaccinated",
               "Average percentage of healthcare personnel up to date with COVID-19 vaccines"),
    ),
    tables=(
        PerRelease(
            "fct_chain_performance",
            description="Chains by the means of their homes, as CMS last published them: one row per chain.",
            caution="Unweighted means of homes, of a month that the file does not name",
        ),
    ),
)  # fmt: skip

FCT_CHAIN_PERFORMANCE = CHAIN_PERFORMANCE["fct_chain_performance"]
