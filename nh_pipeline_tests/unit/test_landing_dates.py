"""One order of dates for each file: decided by the file, or refused with both readings."""

from __future__ import annotations

import calendar
import io
import re
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nh_pipeline.lake.storage import Storage
from nh_pipeline.landing import CutOff, Manifest, Quarantined, RawZone, Refused, Unrecognised
from nh_pipeline.landing.coverage import release_covered
from nh_pipeline.landing.dates import ORDERS, YEAR_LAST, parts, read
from nh_pipeline.landing.recognise import inspect_file, recognise
from nh_pipeline.landing.refused import UndecidedDates
from nh_pipeline_tests.support.declared import DATASETS
from nh_pipeline_tests.support.memory_source import Memory, md5_of
from nh_pipeline_tests.unit.test_datasets_headers import STAFFING_2024

MONTH_FIRST, DAY_FIRST = ORDERS
PENALTIES = "CMS Certification Number (CCN),Penalty Date,Penalty Type,Fine Amount,{},Processing Date"


def penalties(release, *dates, others=(), cell="Reviewed (date)"):
    """A release whose rows have the penalty dates and, in a column that no layout knows, the others."""
    rows = max(len(dates), len(others), 1)
    dates, others = ([*given, *[""] * (rows - len(given))] for given in (dates, others))
    lines = [f"015009,{d},Fine,1.5,{o},{release}" for d, o in zip(dates, others, strict=True)]
    return "\n".join([PENALTIES.format(cell), *lines, ""]).encode()


def staffing(quarter, *days):
    rows = [f'015009,"HOME, INC.",X,AL,Y,059,{quarter},{day},51' + ",1" * 24 for day in days]
    return "\n".join([",".join(STAFFING_2024), *rows, ""]).encode()


def landed(content):
    found = inspect_file(io.BytesIO(content), "x")
    return found.coverage.key, found.date_order


def refused(content, kind=UndecidedDates):
    with pytest.raises(kind) as caught:
        landed(content)
    with pytest.raises(kind):
        recognise(content, "x", complete=True)
    return caught.value


def written(day, order, separator="/", width=2, after=""):
    first, second = (day.month, day.day) if order == MONTH_FIRST else (day.day, day.month)
    return f"{first:0{width}}{separator}{second:0{width}}{separator}{day.year}{after}"


# One text.


@pytest.mark.parametrize("after", ["", " 0:00", " 00:00:00", "T00:00:00.000", " 12:00:00 AM", " 12:00am", "T00:00:00Z"])
def test_a_time_is_left_out(after):
    for text in ("2024-08-01", "08/01/2024", "8/1/2024", "8-1-2024", "08.01.2024"):
        assert read(text + after) == date(2024, 8, 1)
        assert release_covered(text + after).key == "2024-08-01"
    for text in ("01/08/2024", "1-8-2024", "1.8.2024"):
        assert read(text + after, DAY_FIRST) == date(2024, 8, 1)
        assert re.match(YEAR_LAST, text + after)


@pytest.mark.parametrize(
    "text",
    ["2024-10-01 garbage", "2024-10-01T", "2024-10-01 ", "2024-10-01 25", "2024-10-01 31:00", "2024-10-01x",
     "10/01/2024 x", "10/01/2024 0", "10/01-2024", "8/1/24", "20991399", "08012024", "1/2/2024/3", "\u0661/8/2024",
     "30.02.2024", "0/1/2024", "2124-10-01", "10/01/1999"],
)  # fmt: skip
def test_what_is_no_release_date(text):
    assert [release_covered(text, order) for order in ORDERS] == [None, None]


@given(st.dates(), st.sampled_from(ORDERS), st.sampled_from("/-."), st.sampled_from([1, 2]))
def test_every_day_is_read_in_the_order_that_it_is_written_in(day, order, separator, width):
    text = written(day, order, separator, width)
    if day.year > 999:
        assert read(text, order) == day
        assert parts(text).day(order) == day


# One file.


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        # The values of any column that has dates.
        (penalties("01/08/2024", "25/12/2023"), ("2024-08-01", DAY_FIRST)),
        (penalties("01/08/2024", others=["25/12/2023 0:00"]), ("2024-08-01", DAY_FIRST)),
        (penalties("1.8.2024", "3.4.2024", "31.12.2023"), ("2024-08-01", DAY_FIRST)),
        (penalties("1-8-2024 00:00:00", "3-4-2024", "31-12-2023"), ("2024-08-01", DAY_FIRST)),
        (penalties("08/01/2024", "12/25/2023"), ("2024-08-01", MONTH_FIRST)),
        (penalties("10/07/2024", "12/25/2023"), ("2024-10-07", MONTH_FIRST)),
        (penalties("10/07/2024", "25/12/2023"), ("2024-07-10", DAY_FIRST)),
        (penalties("25/12/2023"), ("2023-12-25", DAY_FIRST)),
        (penalties("12/25/2023"), ("2023-12-25", MONTH_FIRST)),
        # Dates that are none, or not certain, say nothing.
        (penalties("08/01/2024", "30/02/2024", "13/25/2024", "25/12/23", "0/13/2024"), ("2024-08-01", MONTH_FIRST)),
        (penalties("08/01/2024", others=["25/12/2023"], cell="Remark"), ("2024-08-01", MONTH_FIRST)),
        # The rhythm of releases.
        (penalties("01/08/2024", "03/04/2024"), ("2024-08-01", DAY_FIRST)),
        (penalties("1/8/2024 0:00"), ("2024-08-01", DAY_FIRST)),
        (penalties("01/08/2024 12:00:00 AM"), ("2024-08-01", DAY_FIRST)),
        (penalties("10/01/2024"), ("2024-10-01", MONTH_FIRST)),
        # Nothing that needs to be decided.
        (penalties("01/01/2024", "03/04/2024"), ("2024-01-01", None)),
        (penalties("05/05/2024"), ("2024-05-05", None)),
        (penalties("2024-08-01", "03/04/2024"), ("2024-08-01", None)),
        (penalties("20240801", "2024-03-04"), ("2024-08-01", None)),
        (penalties("2024-08-01", "25/12/2023"), ("2024-08-01", DAY_FIRST)),
        # The quarter of a day.
        (staffing("2024Q1", "20240102"), ("2024Q1", None)),
        (staffing("2024Q1", "01/01/2024"), ("2024Q1", None)),
        (staffing("2024Q1", "01/02/2024", "01/04/2024"), ("2024Q1", MONTH_FIRST)),
        (staffing("2024Q1", "1/2/2024 0:00", "4/1/2024 0:00"), ("2024Q1", DAY_FIRST)),
        (staffing("2024Q1", "1.2.2024", "31.1.2024"), ("2024Q1", DAY_FIRST)),
        (staffing("2024Q1", "1/2/2024", "1/31/2024"), ("2024Q1", MONTH_FIRST)),
        (staffing("2024Q2", *(f"{d}/5/2024" for d in range(1, 13))), ("2024Q2", DAY_FIRST)),
    ],
)  # fmt: skip
def test_the_order_of_a_file(content, expected):
    assert landed(content) == expected
    found = recognise(content, "x", complete=True)
    assert (found.coverage.key, found.date_order) == expected


def test_values_that_contradict_one_another():
    found = refused(penalties("08/01/2024", "25/12/2023", "", "12/26/2023", "12/27/2023"))
    assert "contradict one another" in found.reason
    assert found.found == (
        "'25/12/2023' in line 2, column 'Penalty Date' is a date only day-first, but "
        "'12/26/2023' in line 4, column 'Penalty Date' is a date only month-first"
    )
    found = refused(penalties("2024-08-01", "25/12/2023", others=["12/26/2023"]))
    assert "column 'Reviewed (date)'" in found.found


def test_columns_that_contradict_one_another():
    # A spreadsheet has read 12/10/2023 as the 12th of October and written it anew; it left the release as text.
    found = refused(penalties("10/01/2024", "25/12/2023"))
    assert found.found == (
        "'25/12/2023' in line 2, column 'Penalty Date' is a date only day-first, but '10/01/2024' in line 2, column "
        "'Processing Date' is the first of a month only month-first: 1 October 2024 (month-first) or 10 January 2024 "
        "(day-first)"
    )
    refused(penalties("01/08/2024", "12/25/2023"))
    header, row = staffing("2024Q1", "01/04/2024").decode().splitlines()
    found = refused(f"{header},Checked Date\n{row},25/12/2023\n".encode())
    assert "'01/04/2024' in line 2, column 'WorkDate' is within 2024Q1 only month-first" in found.found


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            penalties("10/07/2024"),
            "'10/07/2024' in line 2, column 'Processing Date': 7 October 2024 (month-first) or 10 July 2024",
        ),
        (penalties("10.7.2024", "3.4.2024"), "7 October 2024 (month-first) or 10 July 2024 (day-first)"),
        (
            staffing("2024Q1", "01/01/2024", "01/02/2024"),
            "'01/02/2024' in line 3, column 'WorkDate': 2 January 2024 (month-first) or 1 February 2024 (day-first)",
        ),
        (staffing("2024Q4", "01/02/2024"), "2 January 2024"),  # of no day of the quarter
    ],
)
def test_nothing_decides(content, told):
    found = refused(content)
    assert told in found.found
    assert found.found.endswith("and nothing else in the file decides")
    assert "2024-08-01" in found.what_to_do
    assert "nh quarantine admit ID --dates month-first|day-first --confirm --reason TEXT" in found.what_to_do


def test_vaccinations_are_of_any_day():
    header = "CMS Certification Number (CCN),State,Date vaccination data last updated\n"
    assert landed(f"{header}015009,AL,10/27/2024\n".encode()) == ("2024-10-27", MONTH_FIRST)
    refused(f"{header}015009,AL,01/08/2024\n".encode())


def test_nearly_all_days_within_the_quarter():
    days = [f"{month}/{day}/2024" for month in (4, 5, 6) for day in range(1, 13) if month != day]
    assert landed(staffing("2024Q2", *days, "1/2/2021")) == ("2024Q2", MONTH_FIRST)
    refused(staffing("2024Q2", *days[:6], "1/2/2021"))


def test_two_year_digits_stay_unreadable():
    assert "unreadable release in line 2" in refused(penalties("8/1/24"), Unrecognised).reason


def test_several_releases_are_told_as_such():
    several = [("08/01/2024", "09/01/2024"), ("25/12/2023", "26/12/2023"), ("2024-08-01", "20240901")]
    for first, second in several:
        content = penalties(first) + penalties(second).partition(b"\n")[2]
        assert "several releases" in refused(content, Unrecognised).reason
    content = penalties("25/12/2023") + penalties("12/25/2023").partition(b"\n")[2]
    assert "contradict one another" in refused(content).reason


def test_every_batch_is_looked_at():
    content = penalties("10/07/2024", *["03/04/2024"] * 200_000, "25/12/2023")
    assert len(content) > 6 << 20
    assert landed(content) == ("2024-07-10", DAY_FIRST)


# The first bytes.


def test_the_first_bytes_say_what_they_can():
    content = penalties("10/07/2024", *["03/04/2024"] * 2000, "25/12/2023")
    with pytest.raises(CutOff, match=r"7 October 2024 .*first bytes decide"):
        recognise(content[:65536], "x")
    found = recognise(penalties("01/08/2024", *["03/04/2024"] * 2000)[:65536], "x")
    assert (found.coverage.key, found.date_order) == ("2024-08-01", DAY_FIRST)
    # The quarter is known all the same.
    found = recognise(staffing("2024Q1", *["01/02/2024"] * 1000)[:65536], "x")
    assert (found.coverage.key, found.date_order) == ("2024Q1", None)
    with pytest.raises(UndecidedDates):
        recognise(penalties("08/01/2024", "25/12/2023", "12/26/2023", *["03/04/2024"] * 2000)[:65536], "x")


# Whatever is written, the right day or none.


@st.composite
def releases(draw, days):
    """A release in one of CMS's layouts with other dates, each column in an order and a spelling of its own."""
    release, orders = draw(days), [draw(st.sampled_from(ORDERS)) for _ in range(3)]
    if draw(st.booleans()):
        orders = orders[:1] * 3
    style = [(draw(st.sampled_from("/-.")), draw(st.sampled_from([1, 2])), draw(st.sampled_from(["", " 0:00"])))
             for _ in orders]  # fmt: skip
    others = draw(st.lists(st.tuples(st.dates(date(1950, 1, 1)), st.dates(date(2000, 1, 1))), min_size=1, max_size=4))
    columns = ([release] * len(others), *zip(*others, strict=True))
    texts = [[written(d, o, *s) for d in column] for column, o, s in zip(columns, orders, style, strict=True)]
    return release, orders, penalties(texts[0][0], *texts[1], others=texts[2])


@settings(max_examples=500)
@given(releases(st.dates(date(2000, 1, 1), date(2099, 12, 31)).map(lambda day: day.replace(day=1))))
def test_no_release_of_cms_lands_as_another(drawn):
    release, _, content = drawn
    try:
        found = inspect_file(io.BytesIO(content), "x")
    except UndecidedDates:
        return
    assert found.coverage.start == release
    assert found.date_order is not None or release.month == 1


@settings(max_examples=500)
@given(releases(st.dates(date(2000, 1, 1), date(2099, 12, 31)).filter(lambda day: day.month != 1 or day.day == 1)))
def test_no_date_of_one_order_lands_as_another(drawn):
    # Of any day; one of January could as well be the first of a month, which is taken for CMS's.
    release, orders, content = drawn
    if len(set(orders)) == 1:
        try:
            found = inspect_file(io.BytesIO(content), "x")
        except UndecidedDates:
            return
        assert found.coverage.start == release
        assert found.date_order in (None, orders[0])


@settings(max_examples=300)
@given(st.data())
def test_no_day_of_a_quarter_lands_as_another(data):
    year, number, order = (
        data.draw(st.integers(2017, 2030)),
        data.draw(st.integers(1, 4)),
        data.draw(st.sampled_from(ORDERS)),
    )
    start = date(year, 3 * number - 2, 1)
    last = calendar.monthrange(year, 3 * number)[1]
    length = (date(year, 3 * number, last) - start).days
    days = [start + timedelta(n) for n in data.draw(st.lists(st.integers(0, length), min_size=1, max_size=30))]
    content = staffing(f"{year}Q{number}", *(written(day, order, data.draw(st.sampled_from("/-."))) for day in days))
    try:
        found = inspect_file(io.BytesIO(content), "x")
    except UndecidedDates:
        return
    assert found.coverage.start == start
    texts = [text.split(",")[8] for text in content.decode().splitlines()[1:]]  # the name has a comma
    assert [read(text, found.date_order or MONTH_FIRST) for text in texts] == days


@settings(max_examples=300)
@given(
    st.lists(st.text("0123456789/-. :APMT", max_size=12), min_size=1, max_size=5),
    st.sampled_from(["08/01/2024", "1.2.2024"]),
)
def test_no_text_raises_anything_else(texts, release):
    try:
        found = inspect_file(io.BytesIO(penalties(release, *texts)), "x")
    except Refused:
        return
    assert found.coverage == release_covered(release, found.date_order or MONTH_FIRST)


# In the raw zone.


def test_the_manifest_keeps_the_header_and_the_order(zone):
    source = Memory()
    content = penalties("01/08/2024", "25/12/2023", cell='"Größe, date"')
    manifest = zone.land(source, source.file("f1", content.decode().encode("cp1252"))).document
    assert (manifest.date_order, manifest.coverage.key, manifest.overruled) == (DAY_FIRST, "2024-08-01", None)
    assert manifest.header == (
        "CMS Certification Number (CCN)", "Penalty Date", "Penalty Type", "Fine Amount", "Größe, date",
        "Processing Date",
    )  # fmt: skip
    assert zone.deliveries()[0].manifest == manifest
    older = manifest.model_dump(mode="json", exclude={"header", "date_order"})
    assert (Manifest.model_validate(older).header, Manifest.model_validate(older).date_order) == (None, None)


def test_what_lands_does_not_depend_on_what_has_landed(tmp_path):
    contents = [penalties("07/10/2024", "12/25/2023"), penalties("10/07/2024"), penalties("01/08/2024")]
    source, outcomes = Memory(), []
    for turn, indexes in enumerate([(0, 1, 2), (2, 1, 0), (1, 2, 0)]):
        zone = RawZone(Storage(str(tmp_path / str(turn))))
        for index in indexes:
            zone.land(source, source.file(f"f{index}", contents[index]))
        outcomes.append([(d.path, d.manifest.date_order) for d in zone.deliveries()])
        assert [q.file_id for q in zone.quarantined()] == ["f1"]
    assert outcomes[0] == outcomes[1] == outcomes[2]


@pytest.mark.parametrize(("order", "key"), [(MONTH_FIRST, "2024-10-07"), (DAY_FIRST, "2024-07-10")])
def test_a_person_says_the_order(zone, order, key):
    source, content = Memory(), penalties("10/07/2024")
    entry = zone.land(source, source.file("f1", content)).document
    assert isinstance(entry, Quarantined)
    assert (entry.undecided_dates, entry.overrulable) == (True, False)
    assert isinstance(zone.readmit(entry, overruled="no word about the dates").document, Quarantined)
    manifest = zone.readmit(entry, overruled="asked", order=order).document
    assert (manifest.coverage.key, manifest.date_order, manifest.overruled) == (key, order, "asked")
    assert zone.quarantined() == []
    assert not zone.land(source, source.file("f1", content)).created
    with zone.open(zone.deliveries()[0]) as stream:
        assert stream.read() == content


def test_an_order_that_cannot_read_the_release_is_asked_again(zone):
    source = Memory()
    entry = zone.land(source, source.file("f1", penalties("08/25/2024", "25/12/2023"))).document
    again = zone.readmit(entry, overruled="asked", order=DAY_FIRST).document
    assert isinstance(again, Quarantined)
    assert again.undecided_dates
    assert again.found == "'08/25/2024' in line 2, which is none"
    assert zone.readmit(again, overruled="asked", order=MONTH_FIRST).document.coverage.key == "2024-08-25"


# Files as people have them.


def test_specimen_of_a_day_first_release(field, zone):
    source, folder = Memory(), field / "02-dayfirst-processing-date"
    for path in sorted(folder.glob("*.csv")):
        zone.land(source, source.file(md5_of(path.name.encode()), path.read_bytes(), name=path.name))
    found = {d.manifest.name: (d.manifest.coverage.key, d.manifest.date_order) for d in zone.deliveries("providers")}
    assert found == {"Aug_dayfirst.csv": ("2024-08-01", DAY_FIRST), "Jul.csv": ("2024-07-01", None)}


def test_specimen_of_a_release_that_a_spreadsheet_saved(field):
    found = recognise((field / "04-excel-first-release" / "Jul_excel.csv").read_bytes(), "x", complete=True)
    assert (found.dataset, found.coverage.key, found.date_order) == ("providers", "2024-07-01", MONTH_FIRST)


@pytest.mark.golden
def test_every_real_file_has_the_order_of_cms(real_data):
    orders = {}
    for path in sorted([*(real_data / "drop").glob("[FN]*"), *(real_data / "excerpts").glob("NH_*.csv")]):
        with path.open("rb") as stream:
            found = recognise(stream.read(), path.name, complete=True)
        orders[path.name] = found.date_order
        assert found.dataset in DATASETS
    assert set(orders.values()) == {None, MONTH_FIRST}
    assert orders["NH_DataCollectionIntervals_Oct2024.csv"] == MONTH_FIRST
