"""State-Level Health Inspection Cut Points: which weighted survey score earns how many stars (undated).

A health inspection rating ranks the homes of a state: the best 10 per cent have five stars, the worst 20 one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.shared import ANY
from nh_pipeline.model.columns import decimal, stars, text
from nh_pipeline.model.dataset import Dataset
from nh_pipeline.model.kinds import PerRelease
from nh_pipeline.model.rules import Matches
from nh_pipeline.transforms import values

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_RANGE = Matches("^([0-9]+[.][0-9]+-[0-9]+[.][0-9]+|>[0-9]+[.][0-9]+)$", "a range of scores (6.001-14.667, >38.000)")
_NAMES = tuple(f"stars_{n}" for n in range(5, 0, -1))


def by_stars(states: DataFrame) -> DataFrame:
    """One row per state and rating, with the ends of its range as numbers."""
    pairs = ", ".join(f"{name[-1]}, {name}" for name in _NAMES)
    long = states.selectExpr("state", "delivery_id", f"stack({len(_NAMES)}, {pairs}) as (stars, _range)")
    ends = long.where("_range is not null").selectExpr(
        "*", "replace(substring_index(_range, '-', 1), '>', '') as _low", "split(_range, '-')[1] as _high"
    )
    return ends.selectExpr(
        "*", f"{values.decimal('_low', 9, 3)} as low_score", f"{values.decimal('_high', 9, 3)} as high_score"
    )


HEALTH_INSPECTION_CUTPOINTS = Dataset(
    name="health_inspection_cutpoints",
    title="State-Level Health Inspection Cut Points",
    eras=ANY,
    told_by=("state", "stars_5", "stars_2"),
    key=("state",),
    columns=(
        text("state", "Two-letter postal code of the state or territory", "State", required=True, nullable=False),
        *(
            text(name, f"Scores that earn {name[-1]} stars", f"{name[-1]} Star{'s' * (name != 'stars_1')}",
                 f"X{name[-1]} Star{'s' * (name != 'stars_1')}", required=name in ("stars_5", "stars_2"),
                 allowed=_RANGE, expects=_RANGE.called)
            for name in _NAMES
        ),
    ),
    tables=(
        PerRelease(
            "dim_health_inspection_cutpoints",
            description="Weighted health survey scores and the stars that they earn: one row per state and rating.",
            columns=("state",),
            needs=_NAMES,
            adds=(
                stars("stars", "Health inspection rating", nullable=False),
                decimal(9, 3, "low_score", "Lowest score; of one star, the score that is exceeded", unit="points",
                        nullable=False),
                decimal(9, 3, "high_score", "Highest score, NULL of one star", unit="points"),
            ),
            transform=by_stars,
            reshapes=True,
            grain=("state", "stars"),
            caution="Of the last delivery: a rating that CMS holds until a home's own score changes was earned earlier",
        ),
    ),
)  # fmt: skip
