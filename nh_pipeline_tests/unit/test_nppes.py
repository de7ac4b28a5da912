"""The registry's file: recognised among all others, and dated by its latest change."""

from __future__ import annotations

import pytest

from nh_pipeline.landing import CutOff, Refused
from nh_pipeline.landing.recognise import LONGEST_RECORD, recognise
from nh_pipeline.landing.selection import wanted
from nh_pipeline.pipeline.guards import statuses
from nh_pipeline.sources import FolderSource
from nh_pipeline_tests.support.declared import DATASETS
from nh_pipeline_tests.support.registry import home, registry_file, registry_text
from nh_pipeline_tests.unit.test_counting import EVERYBODY, candidate
from nh_pipeline_tests.unit.test_landing_archive import zipped

NPI = "1417950288"
JANUARY, FEBRUARY = home(NPI, "01/31/2024"), home(NPI, "02/03/2024")
DEACTIVATED = {"npi": NPI, "deactivation_date": "03/15/2024"}


def found(*lines, complete=True):
    return recognise(registry_text(lines).encode(), "npidata.csv", complete=complete)


def test_all_330_columns_are_known_in_the_order_of_cms():
    file = found(JANUARY)
    assert len(file.header.columns) == 330
    assert file.header.columns == tuple(column.name for column in DATASETS["nppes"].columns)
    assert (file.header.extras, file.header.absent) == ((), ())


def test_the_release_is_the_latest_change_wherever_it_stands():
    for lines in ((JANUARY, FEBRUARY), (FEBRUARY, JANUARY), (FEBRUARY, JANUARY, DEACTIVATED)):
        file = found(*lines)
        assert (file.dataset, file.coverage.key, file.date_order) == ("nppes", "2024-02-03", "month-first")


def test_days_may_come_first():
    assert found(home(NPI, "31/01/2024"), home(NPI, "03/02/2024")).coverage.key == "2024-02-03"


@pytest.mark.parametrize("odd", ["soon", "13/32/2024", "02/30/2024", ""])
def test_a_line_without_a_day_does_not_refuse_the_file(odd):
    assert found(home(NPI, odd), JANUARY).coverage.key == "2024-01-31"


def test_a_file_that_tells_no_change_is_refused():
    with pytest.raises(Refused, match="no releases in column 'Last Update Date'"):
        found(DEACTIVATED)


def test_the_first_lines_are_not_enough(tmp_path):
    with pytest.raises(CutOff, match="not all dates"):
        found(JANUARY, FEBRUARY, complete=False)
    path = registry_file(tmp_path / "long.csv", [JANUARY] * 4200)
    assert path.stat().st_size > 2 * LONGEST_RECORD
    source = FolderSource(path)
    assert [file.name for file in wanted(source, "nppes", None, [])] == ["long.csv"]


def test_of_the_archive_of_cms_the_registry_is_taken_and_nothing_asks_for_a_person(zone, source):
    registry = registry_text([JANUARY])
    names = "NPI,Provider Other Organization Name,Provider Other Organization Name Type Code\n"
    place = "Provider Secondary Practice Location Address"
    places = (
        f"NPI,{place}- Address Line 1,{place}-  Address Line 2,{place} - City Name,{place} - State Name,"
        f"{place} - Postal Code,{place} - Country Code (If outside U.S.),{place} - Telephone Number,"
        f"{place} - Telephone Extension,Provider Practice Location Address - Fax Number\n"
    )
    endpoints = (
        "NPI,Endpoint Type,Endpoint Type Description,Endpoint,Affiliation,Endpoint Description,"
        "Affiliation Legal Business Name,Use Code,Use Description,Other Use Description,Content Type,"
        "Content Description,Other Content Description,Affiliation Address Line One,Affiliation Address Line Two,"
        "Affiliation Address City,Affiliation Address State,Affiliation Address Country,"
        "Affiliation Address Postal Code\n"
    )
    members = {"npidata_header.csv": registry.partition("\n")[0] + "\n", "npidata.csv": registry, "readme.pdf": "%PDF",
               "names_header.csv": names, "names.csv": f"{names}{NPI},B,3\n", "places.csv": f"{places}{NPI}{',' * 9}\n",
               "endpoints.csv": f"{endpoints}{NPI}{',' * 18}\n"}  # fmt: skip
    whole = [(name, text.encode()) for name, text in members.items()]
    landed = zone.land(source, source.file("f1", zipped(*whole), name="npi.zip")).document
    became = {part.path: part.outcome for part in landed.parts}
    assert became == {name: "landed" if name == "npidata.csv" else "no delivery" for name in members}
    # By themselves, and where a header is not quite the known one, they are told.
    for content in (members["npidata_header.csv"], members["names.csv"]):
        with pytest.raises(Refused):
            recognise(content.encode(), "alone.csv", complete=True)
    changed = names.replace("\n", ",New\n") + f"{NPI},B,3,\n"
    zone.land(source, source.file("f2", zipped(whole[1], ("names.csv", changed.encode())), name="npi.zip"))
    assert [entry.archive.path for entry in zone.quarantined()] == ["names.csv"]


def test_deliveries_of_changes_count_beside_each_other():
    """The whole registry and its last week may end on the same day; the week is no extract of the registry."""
    whole = candidate("whole", "2024-02-03", EVERYBODY)
    week = candidate("week", "2024-02-03", EVERYBODY[:2])
    half = candidate("half", "2024-03-03", EVERYBODY[:50])
    damaged = candidate("damaged", "2024-03-04", EVERYBODY[:50], refused=30)
    doubled = candidate("doubled", "2024-03-05", EVERYBODY, doubled=1)
    given = [whole, week, half, damaged, doubled]
    states = {s.delivery_id: s.state for s in statuses("release", given, frozenset(), changes=True)}
    assert states == {"whole": "effective", "week": "effective", "half": "effective", "damaged": "held",
                      "doubled": "refused"}  # fmt: skip
    assert {s.state for s in statuses("release", [whole, week], frozenset())} == {"effective", "held"}
