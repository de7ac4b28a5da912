"""Staffing lines: levels of staffing below which days are counted. A file of the project's own, which users edit.

``docs/staffing-lines.csv`` is one to copy. A line is a measure and a value with its source; none of them says that a
home violates anything: laws count other hours, other staff or other residents than the Payroll Based Journal.
"""

from __future__ import annotations

from nh_pipeline.datasets.cms.shared import ANY
from nh_pipeline.model.columns import category, date, decimal, text
from nh_pipeline.model.dataset import Dataset
from nh_pipeline.model.kinds import PerRelease

MEASURES = {
    "hprd_total": "total nurse hours per resident day",
    "hprd_rn": "registered nurse hours per resident day",
    "hprd_lpn": "licensed practical nurse hours per resident day",
    "hprd_aide": "nurse aide hours per resident day",
    "hprd_direct_care": "direct care hours per resident day, without director and administration",
    "rn_hours": "registered nurse hours of the day",
}
"""What a line may be drawn in."""

STAFFING_LINES = Dataset(
    name="staffing_lines",
    title="Staffing lines",
    eras=ANY,
    told_by=("line", "measure", "below", "source", "since"),
    key=("line", "measure"),
    columns=(
        text("line", "Name of the line, for people", "Line", required=True, nullable=False),
        category("measure", f"What is compared: {'; '.join(f'{k} {v}' for k, v in MEASURES.items())}", tuple(MEASURES),
                 "Measure", required=True, nullable=False),
        decimal(9, 4, "below", "A day below this value counts", "Below", required=True, nullable=False,
                unit="hours, or hours per resident day"),
        text("source", "Law, rule or study that the value is from", "Source", required=True),
        date("since", "Day from which the source speaks; days before it count, too", "Since", required=True),
    ),
    tables=(
        PerRelease(
            "dim_staffing_lines",
            description="Lines to hold days of staffing against: one row per line and measure.",
            caution="Days below a line are no violations: a line is a screen",
        ),
    ),
)  # fmt: skip
