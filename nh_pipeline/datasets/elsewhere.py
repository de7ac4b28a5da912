"""Files of CMS, and of its neighbours, that people deliver by mistake: no table is made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nh_pipeline.model.dataset import fold

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Elsewhere:
    """A file that is known and not taken.

    Attributes:
        title: CMS's.
        told_by: header cells that tell it; of one that is ``beside``, all of them.
        instead: what is taken of its kind.
        beside: whether CMS puts it into the archive of a file that is taken.
    """

    title: str
    told_by: tuple[str, ...]
    instead: str = ""
    beside: bool = False


_DAILY = "Payroll Based Journal Daily Nurse Staffing"

_LOCATION = tuple(f"Provider Secondary Practice Location Address - {part}" for part in (
    "Address Line 1", "Address Line 2", "City Name", "State Name", "Postal Code",
    "Country Code (If outside U.S.)", "Telephone Number", "Telephone Extension",
))  # fmt: skip
_ENDPOINT = (
    "Endpoint Type", "Endpoint Type Description", "Endpoint", "Endpoint Description", "Use Code", "Use Description",
    "Other Use Description", "Content Type", "Content Description", "Other Content Description",
    "Affiliation Legal Business Name",
    *(f"Affiliation Address {part}" for part in ("Line One", "Line Two", "City", "State", "Country", "Postal Code")),
)  # fmt: skip

_FILES = (
    Elsewhere("Payroll Based Journal Daily Non-Nurse Staffing", ("WorkDate", "Hrs_Admin", "Hrs_MedDir"), _DAILY),
    Elsewhere("Payroll Based Journal Employee Detail Nursing Home Staffing", ("SYS_EMPLEE_ID",), _DAILY),
    Elsewhere("Skilled Nursing Facility Change of Ownership", ("ENROLLMENT ID - BUYER",), "Ownership"),
    Elsewhere("Skilled Nursing Facility All Owners", ("ENROLLMENT ID", "ASSOCIATE ID - OWNER"), "Ownership"),
    Elsewhere(
        "NPPES Other Names",
        ("NPI", "Provider Other Organization Name", "Provider Other Organization Name Type Code"),
        beside=True,
    ),
    Elsewhere(
        "NPPES Practice Locations", ("NPI", *_LOCATION, "Provider Practice Location Address - Fax Number"), beside=True
    ),
    Elsewhere("NPPES Endpoints", ("NPI", "Affiliation", *_ENDPOINT), beside=True),
    Elsewhere("Hospital General Information", ("Facility ID", "Hospital Type"), "Provider Information"),
    Elsewhere("Provider of Services", ("PRVDR_CTGRY_CD", "PRVDR_NUM"), "Provider Information"),
)


def elsewhere(header: Sequence[str]) -> Elsewhere | None:
    """The file of a header, if it is one of these."""
    cells = {fold(cell) for cell in header}
    for file in _FILES:
        told = set(map(fold, file.told_by))
        if cells == told or (cells > told and not file.beside):
            return file
    return None
