"""Names and headers of the daily nurse staffing files, by vintage, as CMS has delivered them since 2017.

Source: the headers of the real files of 2017Q1 to 2026Q1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.sample.periods import Quarter

if TYPE_CHECKING:
    from collections.abc import Mapping

CATEGORIES = ("RNDON", "RNadmin", "RN", "LPNadmin", "LPN", "CNA", "NAtrn", "MedAide")
"""The eight staff categories, in file order; RNDON is the director of nursing."""

_ATTRIBUTES = ("PROVNUM", "PROVNAME", "CITY", "STATE", "COUNTY_NAME", "COUNTY_FIPS", "CY_Qtr", "WorkDate", "MDScensus")
_LAST_CALENDAR_YEAR_NAME = Quarter(2021, 4)
_EXTRA_COLUMN = Quarter(2021, 4)

# Only the totals were spelt differently; the _emp and _ctr columns beside them were not.
_ALIASES_2017: Mapping[str, str] = {"hrs_lpnadmin": "hrs_lpn_admin", "hrs_natrn": "hrs_na_trn"}
_ALIASES: Mapping[Quarter, Mapping[str, str]] = {
    Quarter(2017, 1): {"hrs_rndon": "hrs_rn_donadmin"},
    # A slip of CMS, which put the medication aides before the trainees in this quarter.
    Quarter(2017, 2): {"hrs_medaide_ctr": "hrs_rn_donadmin"},
}


def is_lower_case(quarter: Quarter) -> bool:
    """Whether the vintage's header is in lower case (2017, 2018Q4 to 2019Q4, 2020Q2 and Q3)."""
    return (
        quarter <= Quarter(2017, 4)
        or Quarter(2018, 4) <= quarter <= Quarter(2019, 4)
        or Quarter(2020, 2) <= quarter <= Quarter(2020, 3)
    )


def has_incomplete_column(quarter: Quarter) -> bool:
    """Whether the vintage has the extra last column ``incomplete`` (2021Q4 only; 1 on few rows)."""
    return quarter == _EXTRA_COLUMN


def has_padded_fips(quarter: Quarter) -> bool:
    """Whether COUNTY_FIPS is written with three digits (``047``) or as a number (``47``, in 2017)."""
    return quarter > Quarter(2017, 4)


def category_order(quarter: Quarter) -> tuple[int, ...]:
    """Positions in :data:`CATEGORIES` in the order of the quarter's file."""
    return (0, 1, 2, 3, 4, 5, 7, 6) if quarter == Quarter(2017, 2) else tuple(range(len(CATEGORIES)))


def staffing_header(quarter: Quarter) -> tuple[str, ...]:
    """The column names of a quarter's file, in order: 33, or 34 in 2021Q4."""
    groups = (CATEGORIES[index] for index in category_order(quarter))
    names = (*_ATTRIBUTES, *(f"Hrs_{name}{part}" for name in groups for part in ("", "_emp", "_ctr")))
    if is_lower_case(quarter):
        aliases = {**(_ALIASES_2017 if quarter.year == Quarter(2017, 1).year else {}), **_ALIASES.get(quarter, {})}
        names = tuple(aliases.get(name.lower(), name.lower()) for name in names)
    return (*names, "incomplete") if has_incomplete_column(quarter) else names


def staffing_name(quarter: Quarter) -> str:
    """The file's name without its suffix, in the style of the vintage."""
    tail = f"CY_{quarter}" if quarter <= _LAST_CALENDAR_YEAR_NAME else f"Q{quarter.number}_{quarter.year}"
    return f"PBJ_Daily_Nurse_Staffing_{tail}"
