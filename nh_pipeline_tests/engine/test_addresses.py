"""Addresses and names as they are compared, and the homes that are found by them."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict

import pytest

from nh_pipeline.datasets.cms.nppes import NURSING_HOMES
from nh_pipeline.transforms.addresses import SHORT, homes_of, name, street

pytestmark = pytest.mark.integration

STREETS = {
    "147 Lafayette Manor Road": "147 LAFAYETTE MANOR RD",
    "300 GARFIELD AVE. SE": "300 GARFIELD AVE SE",
    "300 Garfield Avenue  Southeast": "300 GARFIELD AVE SE",
    "100 North Street": "100 N ST",
    "12-B O'Brien Ln, Suite #4": "12 B OBRIEN LN STE 4",
    "700 Main Street, PO BOX 8": "700 MAIN ST",
    "700 Main St P.O. Box 8, Room 2": "700 MAIN ST",
    "700 Main St Post Office Drawer H": "700 MAIN ST",
    "P O Box 8": None,
    "1 Shipo Box St": "1 SHIPO BOX ST",
    "1 Streeter Rd": "1 STREETER RD",
    " ": None,
    None: None,
}
NAMES = {
    "St. Mary's & Sons, L.L.C.": "ST MARYS AND SONS",
    "ST MARY\u2019S AND SONS": "ST MARYS AND SONS",
    "Incline Care, Incorporated": "INCLINE CARE",
    "INC": None,
    None: None,
}


@pytest.mark.parametrize(("sql", "written"), [(street("t"), STREETS), (name("t"), NAMES)], ids=["street", "name"])
def test_as_they_are_compared(engine, sql, written):
    rows = engine.createDataFrame([(text,) for text in written], "t string").selectExpr("t", f"{sql} as v").collect()
    assert {row["t"]: row["v"] for row in rows} == written


def test_short_words_are_not_shortened_again():
    assert not SHORT.keys() & set(SHORT.values())


COLUMNS = "name string, street string, zip5 string, state string"
HOMES = [
    ("000001", "Arbor Care LLC", "1 Oak Street", "70001", "KS"),
    ("000002", "Birch Home", "2 Elm Avenue, PO Box 8", "70002", "KS"),
    ("000003", "Cedar Court", "3 Fir Rd", "70003", "KS"),
    ("000004", "Cedar Court", "4 Fir Rd", "70004", "KS"),
    ("000005", "Dogwood", "5 Ash Dr", "70005", "MO"),
    ("000006", "Dogwood II", "5 Ash Drive", "70005", "MO"),
    ("000007", None, None, "70007", None),
]


@pytest.mark.parametrize(
    ("place", "found"),
    [
        (("Other name", "1 OAK ST", "70001", "KS"), {("address", "000001")}),
        (("BIRCH HOME, INC", "2 ELM AVE", "70002", "KS"), {("address", "000002"), ("name", "000002")}),
        (("BIRCH HOME, INC", "9 MOVED AWAY", "70002", "KS"), {("name", "000002")}),
        (("Arbor Care", "2 ELM AVE", "70002", "KS"), {("address", "000002"), ("name", "000001")}),
        (("CEDAR COURT", None, None, "KS"), {("name", "000003"), ("name", "000004")}),
        (("x", "5 Ash Dr.", "70005", "MO"), {("address", "000005"), ("address", "000006")}),
        (("Arbor Care", None, None, "MO"), set()),
        (("x", "1 OAK ST", "70002", "KS"), set()),
        ((None, None, "70007", None), set()),
    ],
)
def test_a_home_is_found_by_its_address_and_by_its_name(engine, place, found):
    homes = engine.createDataFrame(HOMES, f"provider_id string, {COLUMNS}")
    places = engine.createDataFrame([("one", *place)], f"id string, {COLUMNS}")
    rows = homes_of(places, homes).select("matched_by", "provider_id").collect()
    assert sorted(tuple(row) for row in rows) == sorted(found)


def test_a_place_may_have_several_names(engine):
    homes = engine.createDataFrame(HOMES, f"provider_id string, {COLUMNS}")
    named = [("one", text, None, None, "KS") for text in ("Nobody", "Birch Home", "BIRCH HOME, LLC")]
    rows = homes_of(engine.createDataFrame(named, f"id string, {COLUMNS}"), homes).collect()
    assert [(row["matched_by"], row["provider_id"]) for row in rows] == [("name", "000002")]


@pytest.fixture(scope="module")
def real(real_data):
    """Organisations of the registry with a taxonomy of nursing homes, and CMS's nursing homes, a row for each name."""
    path = real_data / "nppes" / "npidata_pfile.csv"
    if not path.exists():
        pytest.skip(f"no {path}")
    practice = "Provider Business Practice Location Address"
    with path.open(encoding="utf-8", newline="") as stream:
        places = [
            (line["NPI"], line[label], line["Provider First Line Business Practice Location Address"],
             line[f"{practice} Postal Code"][:5], line[f"{practice} State Name"])
            for line in csv.DictReader(stream)
            if any(line[f"Healthcare Provider Taxonomy Code_{n}"] in NURSING_HOMES for n in range(1, 16))
            for label in ("Provider Organization Name (Legal Business Name)", "Provider Other Organization Name")
        ]  # fmt: skip
    with (real_data / "drop" / "NH_ProviderInfo_Nov2024.csv").open(encoding="cp1252", newline="") as stream:
        homes = [
            (line["CMS Certification Number (CCN)"], line[label], line["Provider Address"], line["ZIP Code"],
             line["State"])
            for line in csv.DictReader(stream) for label in ("Provider Name", "Legal Business Name")
        ]  # fmt: skip
    return places, homes


@pytest.mark.golden
def test_of_105_real_organisations_most_are_found(engine, real):
    places, homes = real
    assert len({place[0] for place in places}) == 105
    assert len({home[0] for home in homes}) == 14_807
    written = {(home[2], home[3]) for home in homes}
    assert len({place[0] for place in places if place[2:4] in written}) == 28  # without folding anything
    given = (
        engine.createDataFrame(places, f"id string, {COLUMNS}"),
        engine.createDataFrame(homes, f"provider_id string, {COLUMNS}"),
    )
    found = {rule: defaultdict(set) for rule in ("address", "name")}
    for row in homes_of(*given).collect():
        found[row["matched_by"]][row["id"]].add(row["provider_id"])
    by_address, by_name = found.values()
    assert Counter(map(len, by_address.values())) == {1: 73, 2: 1}
    assert Counter(len(of) for npi, of in by_name.items() if npi not in by_address) == {1: 9}
    # Where both rules find one home, it is the same.
    both = {npi for npi in by_address.keys() & by_name.keys() if len(by_address[npi]) == len(by_name[npi]) == 1}
    assert len(both) == 26
    assert {npi for npi in both if by_address[npi] != by_name[npi]} == set()
