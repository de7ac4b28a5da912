"""Which nursing home an organisation is, by its address or its name, where no number says so.

Addresses and names are compared as nobody writes them: in capitals, without punctuation, each word in its short form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SHORT = {
    "ALLEY": "ALY", "AV": "AVE", "AVENUE": "AVE", "BOULEVARD": "BLVD", "CENTER": "CTR", "CIRCLE": "CIR",
    "COURT": "CT", "CROSSING": "XING", "DRIVE": "DR", "EXPRESSWAY": "EXPY", "EXTENSION": "EXT", "FORT": "FT",
    "FREEWAY": "FWY", "HEIGHTS": "HTS", "HIGHWAY": "HWY", "HILL": "HL", "LANE": "LN", "MOUNT": "MT",
    "MOUNTAIN": "MTN", "PARKWAY": "PKWY", "PLACE": "PL", "PLAZA": "PLZ", "POINT": "PT", "ROAD": "RD", "ROUTE": "RTE",
    "RT": "RTE", "SAINT": "ST", "SQUARE": "SQ", "STREET": "ST", "SUITE": "STE", "TERRACE": "TER", "TRAIL": "TRL",
    "TURNPIKE": "TPKE", "EAST": "E", "NORTH": "N", "NORTHEAST": "NE", "NORTHWEST": "NW", "SOUTH": "S",
    "SOUTHEAST": "SE", "SOUTHWEST": "SW", "WEST": "W",
}  # fmt: skip
"""Words of addresses, as the Postal Service shortens them (Publication 28)."""

LEGAL_FORMS = ("INC", "INCORPORATED", "LLC", "LLP", "LP", "LTD", "CORP", "CORPORATION")

_BOX = r"(^| )(PO|P O|POST OFFICE) ?(BOX|DRAWER).*"


def street(column: str) -> str:
    """SQL for a street address as it is compared; NULL if there is none, or only a post-office box."""
    short = " ".join(f"when '{word}' then '{to}'" for word, to in SHORT.items())
    words = f"split(trim(regexp_replace({_plain(column)}, '{_BOX}', '')), ' ')"
    return f"nullif(array_join(transform({words}, word -> case word {short} else word end), ' '), '')"


def name(column: str) -> str:
    """SQL for the name of an organisation as it is compared: without its legal form; NULL if nothing is left."""
    forms = ", ".join(f"'{form}'" for form in LEGAL_FORMS)
    plain = _plain(f"replace({column}, '&', ' and ')")
    return f"nullif(array_join(filter(split({plain}, ' '), word -> word not in ({forms})), ' '), '')"


def _plain(text: str) -> str:
    """Capitals and digits, with single blanks between the words; marks within a word (St. Mary's) leave no gap."""
    closed = f"regexp_replace(upper({text}), '[.\\'\u2019]', '')"
    return f"trim(regexp_replace({closed}, '[^A-Z0-9]+', ' '))"


def homes_of(places: DataFrame, homes: DataFrame) -> DataFrame:
    """The nursing homes that places may be: those of the same ZIP code and street, and of the same state and name.

    Args:
        places: ``id``, ``name``, ``street``, ``zip5``, ``state``; several rows of a place that has several names.
        homes: the same of nursing homes, with ``provider_id`` for ``id``.

    Returns:
        ``id``, ``matched_by`` (``address`` or ``name``) and ``provider_id``, each pair once for each way it is found.
    """
    compared = (f"{street('street')} as street", "zip5", "state", f"{name('name')} as name")
    theirs, ours = places.selectExpr("id", *compared), homes.selectExpr("provider_id", *compared)

    def pairs(rule: str, *on: str) -> DataFrame:
        joined = theirs.select("id", *on).join(ours.select("provider_id", *on), list(on))
        return joined.select("id", F.lit(rule).alias("matched_by"), "provider_id").distinct()

    return pairs("address", "zip5", "street").union(pairs("name", "state", "name"))
