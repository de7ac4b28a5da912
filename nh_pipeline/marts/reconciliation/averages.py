"""State US Averages: unweighted means of the homes' own figures of the same release, for each state and the nation."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.medicare_claims import MEASURES as CLAIMS
from nh_pipeline.datasets.cms.state_us_averages import FCT_STATE_AVERAGES, MEASURES
from nh_pipeline.marts.reconciliation.figure import Figure, Release, Subject, mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class _Means:
    """Averages that are means over one file.

    Attributes:
        formula: in words.
        lines: the file's rows of the release, with ``provider_id``.
        columns: SQL of the means, and the decimals that CMS prints.
        tolerance: as in :class:`Figure`.
    """

    formula: str
    lines: Callable[[Release], DataFrame]
    columns: dict[str, tuple[str, int]]
    _: KW_ONLY
    tolerance: str = "0"

    def of(self, of: Release) -> DataFrame:
        """Over the homes of each state (``_of``), and over all of the nation."""
        from pyspark.sql import functions as F

        states = of["fct_provider_releases"].selectExpr("provider_id", "stack(2, state, 'NATION') as _of")
        grouped = self.lines(of).join(states, "provider_id").groupBy("_of")
        return grouped.agg(*(F.expr(f"{sql} as our_{name}") for name, (sql, _) in self.columns.items()))

    @property
    def figures(self) -> tuple[Figure, ...]:
        return tuple(
            Figure(f"mean_{name}", FCT_STATE_AVERAGES, name, self.formula, f"our_{name}", decimals=decimals,
                   tolerance=self.tolerance)
            for name, (_, decimals) in self.columns.items()
        )  # fmt: skip


def _homes(of: Release) -> DataFrame:
    return of["fct_provider_releases"]


def _fines(of: Release) -> DataFrame:
    """All homes with their fines, none as 0; no row if the release has no penalties at all."""
    from pyspark.sql import functions as F

    penalties = of["fct_penalties"].where(f"release = {of.sql}")
    loaded = penalties.groupBy().agg(F.count("*").alias("_lines")).where("_lines > 0")
    fined = (
        penalties.where("penalty_type = 'Fine'")
        .groupBy("provider_id")
        .agg(F.count("*").alias("_fines"), F.sum("fine_amount").alias("_dollars"))
    )
    return loaded.crossJoin(_homes(of).select("provider_id")).join(fined, "provider_id", "left")


def _of_codes(column: str, names: dict[str, str]) -> dict[str, tuple[str, int]]:
    """Means of the measures whose codes bear one name."""
    codes: dict[str, list[str]] = {}
    for code, name in names.items():
        codes.setdefault(name, []).append(f"'{code}'")
    return {
        name: (mean(f"case when measure_code in ({', '.join(found)}) then {column} end"), 6)
        for name, found in codes.items()
    }


_HPRD = {
    "reported_aide_hprd": 2,
    "reported_lpn_hprd": 2,
    "reported_rn_hprd": 5,
    "reported_licensed_hprd": 2,
    "reported_total_hprd": 5,
    "reported_pt_hprd": 2,
    "weekend_total_hprd": 5,
    "weekend_rn_hprd": 2,
    "case_mix_index": 5,
    "case_mix_rn_hprd": 5,
    "case_mix_total_hprd": 5,
    "case_mix_weekend_total_hprd": 5,
}
_ONE_DECIMAL = (
    "average_residents_per_day",
    "total_nursing_turnover",
    "rn_turnover",
    "administrator_departures",
    "overall_rating",
    "health_inspection_rating",
    "qm_rating",
    "staffing_rating",
    *(f"cycle_{n}_health_deficiencies" for n in (1, 2, 3)),
)

_MEANS = (
    _Means(
        "mean of the homes that have a value",
        _homes,
        {name: (mean(name), decimals) for name, decimals in {**_HPRD, **dict.fromkeys(_ONE_DECIMAL, 1)}.items()},
    ),
    _Means(
        "fines in Penalties / all homes", _fines, {"fines": ("cast(coalesce(sum(_fines), 0) as double) / count(*)", 1)}
    ),
    _Means(
        "dollars of fines in Penalties / all homes",
        _fines,
        {"fine_dollars": ("cast(coalesce(sum(_dollars), 0) as double) / count(*)", 0)},
        # Penalties have been printed in whole dollars: half a dollar for each fine, and half of the average's own.
        tolerance="0.5 + 0.5 * our_fines",
    ),
    _Means(
        "mean of the homes' adjusted scores in Medicare Claims Quality Measures",
        lambda of: of["fct_claims_measures"],
        _of_codes("adjusted_score", CLAIMS),
        tolerance="0.000001",
    ),
    _Means(
        "mean of the homes' four-quarter averages in MDS Quality Measures",
        lambda of: of["fct_mds_measures"],
        _of_codes("four_quarter_average", {code: name for code, name in MEASURES.items() if code not in CLAIMS}),
        tolerance="0.000001",
    ),
    _Means(
        "mean of the homes that have the cycle in Survey Summary",
        lambda of: of["fct_survey_summary"],
        {
            f"cycle_{n}_fire_deficiencies": (mean(f"case when inspection_cycle = {n} then fire_deficiencies end"), 1)
            for n in (1, 2, 3)
        },
    ),
)


def rows(of: Release) -> DataFrame:
    """CMS's averages of the release beside ours."""
    from pyspark.sql import functions as F

    joined = of["fct_state_averages"].selectExpr(
        "case state_or_nation when 'NATION' then 'nation' else 'state' end as level", "state_or_nation as entity", "*"
    )
    for means in _MEANS:
        joined = joined.join(means.of(of), F.expr("entity = _of"), "left").drop("_of")
    return joined


SUBJECT = Subject(rows, tuple(figure for means in _MEANS for figure in means.figures))
