"""A deterministic generator of CMS-shaped deliveries, for tests and the demonstration.

The product ships no real data: these files have CMS's names, layouts, encodings and oddities, and fictional content.
Same arguments, same bytes and modified times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.sample.deliveries import Deliveries
from nh_pipeline.sample.staffing import Correction
from nh_pipeline.sample.truth import QuarterTruth, Truth

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

__all__ = ["Correction", "Deliveries", "QuarterTruth", "Truth", "corrected", "generate", "generate_truth"]


def generate(
    out: Path,
    *,
    facilities: int = 120,
    quarters: Sequence[str] = ("2024Q1", "2024Q2"),
    releases: int = 4,
    seed: int = 7,
    quirks: bool = True,
    full_from: int | None = None,
    progress: Callable[[str], None] | None = None,
    _days: int | None = None,
) -> list[Path]:
    """Writes deliveries into a folder: daily staffing per quarter, five monthly files or every one per release.

    Args:
        out: The folder, made if it is not there. Files of the same names are replaced.
        facilities: In each staffing file. Odd ones occur from 20 on, vanishing providers from 30 on.
        quarters: Like ``2024Q2``, in any order; with the headers and names of their vintages.
        releases: Months from the one on in which the first quarter is reported (2024Q1: July 2024).
        seed: Of all random numbers.
        quirks: Whether the oddities of real files occur: bytes, blanks, odd values, formatting that varies.
        full_from: Number (from 0) of the first release with every CMS file; None for five files in each.
        progress: Told of each step, in words.

    Returns:
        Paths of the deliveries. A hidden ``.README.txt`` beside them says that they are generated.
    """
    return Deliveries(facilities, tuple(quarters), releases, seed, quirks, _days, full_from).write(out, progress)


def generate_truth(
    *,
    facilities: int = 120,
    quarters: Sequence[str] = ("2024Q1", "2024Q2"),
    releases: int = 4,
    seed: int = 7,
    quirks: bool = True,
    _days: int | None = None,
) -> Truth:
    """What the deliveries of :func:`generate` with the same arguments come to; writes nothing."""
    return Deliveries(facilities, tuple(quarters), releases, seed, quirks, _days).truth()


def corrected(
    out: Path,
    quarter: str,
    *,
    drop_facilities: int,
    changed_facilities: int = 1,
    revision: int = 1,
    facilities: int = 120,
    seed: int = 7,
    quirks: bool = True,
    _days: int | None = None,
) -> Path:
    """Writes a corrected re-delivery of a quarter of :func:`generate` with the same arguments.

    Args:
        out: The folder.
        quarter: Like ``2024Q2``.
        drop_facilities: How many facilities the corrected file lacks.
        changed_facilities: How many others have two CNA hours more on each of the first seven days.
        revision: 1 for the first correction, 2 for the next: 30 days later each, under another name.
        facilities: As given to :func:`generate`.
        seed: As given to :func:`generate`.
        quirks: As given to :func:`generate`.

    Returns:
        The path, ``…_corrected.csv``.
    """
    correction = Correction(drop_facilities, changed_facilities, revision, seed)
    return Deliveries(facilities, (quarter,), 0, seed, quirks, _days).corrected(out, quarter, correction)
