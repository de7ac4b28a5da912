"""Case-mix and adjusted hours: what follows from the index of a home and constants of the release.

Since July 2024 the case-mix hours of a home are its nursing case-mix index over the national one, times a national
figure (N). Adjusted hours are reported / case-mix hours, times the national mean of case-mix hours (C). N and C are
solved as medians over the homes (:mod:`.constants`): a wrong column shows as homes apart from them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.providers import FCT_PROVIDER_RELEASES
from nh_pipeline.datasets.cms.state_us_averages import FCT_STATE_AVERAGES
from nh_pipeline.marts.reconciliation.constants import STAFF, side_by_side
from nh_pipeline.marts.reconciliation.figure import Figure, Release, Subject

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_HALF = 0.000005
"""Half a unit of the fifth decimal, which all of these columns have."""


def _double(*columns: str) -> tuple[str, ...]:
    return tuple(f"cast({column} as double)" for column in columns)


def rows(of: Release) -> DataFrame:
    """Homes beside the release's constants."""
    homes = side_by_side(of["reconciliation_constants"]).crossJoin(of["fct_provider_releases"])
    return homes.selectExpr("'facility' as level", "provider_id as entity", "*")


def _case_mix(staff: str) -> Figure:
    (ratio,), n = _double("case_mix_index_ratio"), f"n_{staff}"
    return Figure(
        f"case_mix_{staff}_hprd",
        FCT_PROVIDER_RELEASES,
        f"case_mix_{staff}_hprd",
        "nursing case-mix index ratio x N",
        f"{ratio} * {n}",
        theirs=f"case when case_mix_index_ratio is not null then case_mix_{staff}_hprd end",
        decimals=5,
        tolerance=f"{_HALF} * (1 + {n} + {ratio})",
        differs=0.001,
    )


def _share(staff: str) -> Figure:
    (total,), n = _double("case_mix_total_hprd"), f"share_{staff}"
    return Figure(
        f"case_mix_{staff}_hprd_of_total",
        FCT_PROVIDER_RELEASES,
        f"case_mix_{staff}_hprd",
        "case-mix total hours x one share for all homes (since July 2024)",
        f"{total} * {n}",
        theirs=f"case when {n} is not null then case_mix_{staff}_hprd end",
        decimals=5,
        tolerance=f"{_HALF} * (1 + {n} + {total})",
        differs=0.001,
    )


def _adjusted(staff: str) -> Figure:
    reported, case_mix = _double(STAFF[staff], f"case_mix_{staff}_hprd")
    times, rate = f"c_{staff} / {case_mix}", f"{reported} / {case_mix}"
    return Figure(
        f"adjusted_{staff}_hprd",
        FCT_PROVIDER_RELEASES,
        f"adjusted_{staff}_hprd",
        "reported / case-mix x C",
        f"case when {case_mix} > 0 then {rate} * c_{staff} end",
        theirs=f"case when c_{staff} is not null then adjusted_{staff}_hprd end",
        decimals=5,
        tolerance=f"case when {case_mix} > 0 then {_HALF} * (1 + {times} + {rate} * {times} + {rate}) end",
        differs=0.001,
    )


_INDEX, _RATIO = _double("case_mix_index", "case_mix_index_ratio")

HOMES = Subject(
    rows,
    (
        *(_case_mix(staff) for staff in STAFF),
        *(_share(staff) for staff in STAFF if staff != "total"),
        *(_adjusted(staff) for staff in STAFF),
        Figure(
            "case_mix_index_ratio",
            FCT_PROVIDER_RELEASES,
            "case_mix_index_ratio",
            "nursing case-mix index / that of the nation",
            f"{_INDEX} / national_index",
            theirs="case when case_mix_index is not null then case_mix_index_ratio end",
            decimals=5,
            tolerance=f"{_HALF} * (1 + (1 + {_RATIO}) / national_index)",
            differs=0.001,
        ),
    ),
)


def national(of: Release) -> DataFrame:
    """The nation's row of the state averages, beside the release's constants."""
    nation = of["fct_state_averages"].where("state_or_nation = 'NATION'")
    joined = side_by_side(of["reconciliation_constants"]).crossJoin(nation)
    return joined.selectExpr("'nation' as level", "state_or_nation as entity", "*")


def _published(name: str, column: str, formula: str, constant: str) -> Figure:
    return Figure(name, FCT_STATE_AVERAGES, column, formula, constant, decimals=5, tolerance="0.00001")


NATION = Subject(
    national,
    (
        *(
            _published(f"constant_c_{staff}", f"case_mix_{staff}_hprd", "C of the release is the mean home's case-mix",
                       f"c_{staff}")
            for staff in ("rn", "total", "weekend_total")
        ),
        _published("constant_national_index", "case_mix_index",
                   "what divides a home's index is the mean home's index", "national_index"),
    ),
)  # fmt: skip
