"""Files of CMS, and of its neighbours, that people deliver by mistake: no table is made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nh_pipeline.model.dataset import fold

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Elsewhere:
    """A file that is known and not taken: its title, header cells that tell it, and what is taken of its kind."""

    title: str
    told_by: tuple[str, ...]
    instead: str = ""


_DAILY = "Payroll Based Journal Daily Nurse Staffing"

_FILES = (
    Elsewhere("Payroll Based Journal Daily Non-Nurse Staffing", ("WorkDate", "Hrs_Admin", "Hrs_MedDir"), _DAILY),
    Elsewhere("Payroll Based Journal Employee Detail Nursing Home Staffing", ("SYS_EMPLEE_ID",), _DAILY),
    Elsewhere("Skilled Nursing Facility Change of Ownership", ("ENROLLMENT ID - BUYER",), "Ownership"),
    Elsewhere("Skilled Nursing Facility All Owners", ("ENROLLMENT ID", "ASSOCIATE ID - OWNER"), "Ownership"),
    Elsewhere("Hospital General Information", ("Facility ID", "Hospital Type"), "Provider Information"),
    Elsewhere("Provider of Services", ("PRVDR_CTGRY_CD", "PRVDR_NUM"), "Provider Information"),
)


def elsewhere(header: Sequence[str]) -> Elsewhere | None:
    """The file of a header, if it is one of these."""
    cells = {fold(cell) for cell in header}
    return next((file for file in _FILES if cells.issuperset(map(fold, file.told_by))), None)
