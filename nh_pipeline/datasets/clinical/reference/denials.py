"""Why payers deny: our categories of the codes of reasons. Three lists of codes are known, told apart by their system.

CARC are the Claim Adjustment Reason Codes of X12; the others are Medicare's, as CMS's Blue Button has them.
"""

from __future__ import annotations

NON_PAYMENT = "https://bluebutton.cms.gov/resources/variables/clm_mdcr_non_pmt_rsn_cd"
PROCESSING = "https://bluebutton.cms.gov/resources/variables/line_prcsg_ind_cd"

PAYING = ("A", "R", "S")
"""Processing indicators of lines that are not denied."""

REQUESTED = "P"
"""The reason for non-payment that is none: payment is requested."""

OTHER, UNTOLD = "other", "untold"

_CARC = {
    "eligibility": "13 14 19 20 21 22 26 27 31 32 33 34 109 140 166 177 178 179 180 200 258",
    "authorization": "15 39 197 198 210 243 284 288 296",
    "coding": ("4 5 6 7 8 9 10 11 12 16 97 107 110 125 129 146 181 182 199 206 207 208 231 234 236 B15"),
    "timely_filing": "29 138 164",
    "duplicate": "18 B13",
    "medical_necessity": "40 50 55 56 58 150 151 152 153 154",
    "non_covered": "35 49 51 53 54 60 96 119 149 167 170 171 172 202 204 242 256 272 273 B1 B5 B9",
}
_NON_PAYMENT = {
    "eligibility": "A E F G H J K Q T U V W X Y 00 12 13 14 15 16 17 18",
    "non_covered": "B C",
}
_PROCESSING = {
    "eligibility": "Q T U V X Y",
    "duplicate": "M",
    "medical_necessity": "N",
    "coding": "I Z",
    "non_covered": "B C",
}

DENIAL_CATEGORIES = (*_CARC, OTHER, UNTOLD)
"""Every category."""


def _listed(code: str, categories: dict[str, str]) -> str:
    whens = (
        f"when {code} in ({', '.join(repr(c) for c in codes.split())}) then '{category}'"
        for category, codes in categories.items()
    )
    return f"case {' '.join(whens)} else '{OTHER}' end"


def denial_category(system: str, code: str) -> str:
    """SQL for the category of a reason, by its system and its code, which are SQL, too.

    A CARC may have its group before it, as in ``CO-197``.
    """
    carc = f"regexp_replace(upper({code}), '^(CO|PR|OA|PI|CR)[- ]?', '')"
    return (
        f"case when {code} is null then '{UNTOLD}' "
        f"when {system} = '{NON_PAYMENT}' then {_listed(code, _NON_PAYMENT)} "
        f"when {system} = '{PROCESSING}' then {_listed(code, _PROCESSING)} "
        f"else {_listed(carc, _CARC)} end"
    )
