"""What many files of CMS have in common: the columns that name and place a facility, and the eras of their headers."""

from __future__ import annotations

from nh_pipeline.model.columns import ccn, date, text
from nh_pipeline.model.dataset import Era

PROVIDER_ID = ccn(
    "provider_id",
    "CMS Certification Number (CCN): six characters of text, leading zeros, a letter possible in position 3",
    "CMS Certification Number (CCN)",
    "Federal Provider Number",
    "PROVNUM",
    required=True,
)
PROCESSING_DATE = date(
    "processing_date", "Date of the CMS release that the row belongs to", "Processing Date", "FILEDATE", required=True
)
NAME = text("provider_name", "Name of the nursing home", "Provider Name", "PROVNAME")
ADDRESS = text("address", "Street address", "Provider Address", "ADDRESS")
CITY = text("city", "City or town", "City/Town", "Provider City", "CITY")
STATE = text("state", "Two-letter postal code of the state or territory", "State", "Provider State")
ZIP = text("zip_code", "Five-digit ZIP code", "ZIP Code", "Provider Zip Code", "ZIP")
LOCATION = text("location", "Address in one line; in 2017 with coordinates and line breaks", "Location")
WHERE = (NAME, ADDRESS, CITY, STATE, ZIP)
"""Name and address, as most files repeat them."""

MEASURE_CODE = text(
    "measure_code", "CMS's code of the measure", "Measure Code", "MSR_CD", required=True, nullable=False
)
MEASURE_DESCRIPTION = text("measure_description", "What the measure counts", "Measure Description", "MSR_DESCR")
RESIDENT_TYPE = text("resident_type", "Short Stay or Long Stay", "Resident type", "STAY_TYPE")
USED_IN_FIVE_STAR = text(
    "used_in_five_star",
    "Y if the measure counts in the quality measure rating",
    "Used in Quality Measure Five Star Rating",
    "FIVE_STAR_MSR",
)
MEASURE_PERIOD = text(
    "measure_period",
    "Time that the measure covers: quarters (2023Q3-2024Q2) or days (yyyymmdd-yyyymmdd)",
    "Measure Period",
    "MEASURE_PERIOD",
)

# Eras of the files that have a row for each provider: CMS renamed the key column in 2020 and in 2023.
_CCN = Era("ccn", ("cms certification number (ccn)",))
_FEDERAL = Era("federal-provider-number", ("federal provider number",))
_FEDERAL_2017 = Era(
    "federal-provider-number-2017", ("federal provider number", "number of residents in certified beds")
)
_PROVNUM = Era("provnum-2019", ("provnum",))
BY_PROVIDER = (_CCN, _FEDERAL, _PROVNUM)
PROVIDER_INFORMATION = (_CCN, _FEDERAL_2017, _FEDERAL, _PROVNUM)
ANY = (Era("cms"),)
