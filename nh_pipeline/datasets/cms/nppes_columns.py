"""Columns of the NPPES file, in CMS's order. Those that CMS numbers are declared once, and counted."""

from __future__ import annotations

from nh_pipeline.model.columns import Column, category, date, text
from nh_pipeline.model.rules import Matches

TAXONOMIES, IDENTIFIERS = range(1, 16), range(1, 51)
"""Numbers of the taxonomies and of the other identifiers that a line has room for."""

NPI = text("npi", "National Provider Identifier: ten digits", "NPI", required=True, nullable=False,
           allowed=Matches("^[0-9]{10}$", "ten digits"), expects="an NPI of ten digits")  # fmt: skip
LAST_UPDATE_DATE = date(
    "last_update_date", "Day on which the record was last changed", "Last Update Date", required=True
)


def _numbered(numbers: range, *columns: tuple[str, str, str]) -> tuple[Column, ...]:
    """Name, description and header cell of each, once for each number."""
    return tuple(text(f"{name}_{n}", told, f"{label}_{n}") for n in numbers for name, told, label in columns)


def _address(name: str, label: str, what: str) -> tuple[Column, ...]:
    first, second = (f"Provider {nth} Line Business {label} Address" for nth in ("First", "Second"))
    rest = f"Provider Business {label} Address"
    return (
        text(f"{name}_street", f"Street {what}", first),
        text(f"{name}_street_2", f"Second line of the street {what}", second),
        text(f"{name}_city", f"City {what}", f"{rest} City Name"),
        text(f"{name}_state", f"State {what}: two letters, or a name outside of the United States",
             f"{rest} State Name"),
        text(f"{name}_zip", f"ZIP code {what}: five or nine digits, or a foreign postal code", f"{rest} Postal Code"),
        text(f"{name}_country", f"Country {what}: two letters", f"{rest} Country Code (If outside U.S.)"),
        text(f"{name}_phone", f"Telephone number {what}", f"{rest} Telephone Number"),
        text(f"{name}_fax", f"Fax number {what}", f"{rest} Fax Number"),
    )  # fmt: skip


COLUMNS = (
    NPI,
    category("entity_type", "1: a person; 2: an organisation", ("1", "2"),
             "Entity Type Code", required=True),
    text("replacement_npi", "NPI that replaces it", "Replacement NPI", required=True),
    text("ein", "Employer Identification Number; CMS withholds it", "Employer Identification Number (EIN)"),
    text("organization_name", "Legal business name of the organisation",
         "Provider Organization Name (Legal Business Name)", required=True),
    text("last_name", "Family name of the person", "Provider Last Name (Legal Name)"),
    text("first_name", "First name of the person", "Provider First Name"),
    text("middle_name", "Middle name", "Provider Middle Name"),
    text("name_prefix", "What stands before the name", "Provider Name Prefix Text"),
    text("name_suffix", "What stands behind the name", "Provider Name Suffix Text"),
    text("credential", "Credentials, as M.D.", "Provider Credential Text"),
    text("other_name", "Another name of the organisation", "Provider Other Organization Name"),
    text("other_name_type_code", "3: doing business as; 4: former legal name; 5: other",
         "Provider Other Organization Name Type Code"),
    text("other_last_name", "Another family name", "Provider Other Last Name"),
    text("other_first_name", "Its first name", "Provider Other First Name"),
    text("other_middle_name", "Its middle name", "Provider Other Middle Name"),
    text("other_name_prefix", "What stands before it", "Provider Other Name Prefix Text"),
    text("other_name_suffix", "What stands behind it", "Provider Other Name Suffix Text"),
    text("other_credential", "Credentials beside it", "Provider Other Credential Text"),
    text("other_last_name_type_code", "1: former; 2: professional; 5: other", "Provider Other Last Name Type Code"),
    *_address("mailing", "Mailing", "for mail"),
    *_address("practice", "Practice Location", "of the practice"),
    date("enumeration_date", "Day on which the NPI was given", "Provider Enumeration Date"),
    LAST_UPDATE_DATE,
    text("deactivation_reason_code", "Why it was deactivated: DT death, DB disbandment, FR fraud, OT other",
         "NPI Deactivation Reason Code"),
    date("deactivation_date", "Day on which it was deactivated", "NPI Deactivation Date", required=True),
    date("reactivation_date", "Day on which it was activated again", "NPI Reactivation Date", required=True),
    text("sex", "Sex of the person", "Provider Sex Code", "Provider Gender Code"),
    text("official_last_name", "Family name of the authorised official", "Authorized Official Last Name"),
    text("official_first_name", "First name of the authorised official", "Authorized Official First Name"),
    text("official_middle_name", "Middle name of the authorised official", "Authorized Official Middle Name"),
    text("official_title", "Title or position of the authorised official", "Authorized Official Title or Position"),
    text("official_phone", "Telephone number of the authorised official", "Authorized Official Telephone Number"),
    *_numbered(
        TAXONOMIES,
        ("taxonomy", "Taxonomy code: what kind of provider it is", "Healthcare Provider Taxonomy Code"),
        ("license", "License number for this taxonomy", "Provider License Number"),
        ("license_state", "State of the license", "Provider License Number State Code"),
        ("taxonomy_switch", "Y: this taxonomy is the primary one; N: it is not; X: not answered",
         "Healthcare Provider Primary Taxonomy Switch"),
    ),
    *_numbered(
        IDENTIFIERS,
        ("identifier", "Another identifier of the provider", "Other Provider Identifier"),
        ("identifier_type", "01: other; 05: Medicaid", "Other Provider Identifier Type Code"),
        ("identifier_state", "State of the identifier", "Other Provider Identifier State"),
        ("identifier_issuer", "Who issued the identifier, if of type 01", "Other Provider Identifier Issuer"),
    ),
    text("sole_proprietor", "Y, N, or X for not answered", "Is Sole Proprietor"),
    text("subpart", "Y, N, or X for not answered", "Is Organization Subpart"),
    text("parent_name", "Legal business name of the organisation that it is a part of", "Parent Organization LBN"),
    text("parent_tin", "Tax number of that organisation; CMS withholds it", "Parent Organization TIN"),
    text("official_name_prefix", "What stands before the official's name", "Authorized Official Name Prefix Text"),
    text("official_name_suffix", "What stands behind the official's name", "Authorized Official Name Suffix Text"),
    text("official_credential", "Credentials of the official", "Authorized Official Credential Text"),
    *_numbered(TAXONOMIES, ("taxonomy_group", "Kind of group that the organisation is, for this taxonomy",
                            "Healthcare Provider Taxonomy Group")),
    date("certification_date", "Day on which the provider last certified the record", "Certification Date"),
)  # fmt: skip
