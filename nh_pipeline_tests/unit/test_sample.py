"""The generator of sample deliveries: same bytes on every run, CMS's layouts and oddities, and a truth that holds."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import itertools
import zipfile
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pytest

from nh_pipeline.sample import Correction, Deliveries, corrected, generate, generate_truth
from nh_pipeline.sample.files import hours_text
from nh_pipeline.sample.headers import CATEGORIES, staffing_header, staffing_name
from nh_pipeline.sample.layouts import INTERVALS, KEY, RATINGS, era_of
from nh_pipeline.sample.periods import Quarter
from nh_pipeline.sample.providers import is_measured

if TYPE_CHECKING:
    from pathlib import Path

PLAN = Deliveries()
TINY = {"facilities": 5, "quarters": ("2024Q2",), "releases": 2, "_days": 9}


def content(path: Path) -> bytes:
    if path.suffix != ".zip":
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        (name,) = archive.namelist()
        return archive.read(name)


def table(path: Path, encoding: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content(path).decode(encoding), newline="")))


def staffing(drop: Path, quarter: str) -> list[dict[str, str]]:
    (path,) = drop.glob(f"{staffing_name(Quarter.parse(quarter))}.*")
    return table(path, "cp1252")


def fingerprint(folder: Path) -> dict[str, tuple[str, float]]:
    return {
        path.name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime) for path in folder.iterdir()
    }


def test_same_arguments_give_same_bytes_and_times(tmp_path, drop):
    said: list[str] = []
    paths = generate(tmp_path / "again", progress=said.append)
    assert fingerprint(tmp_path / "again") == fingerprint(drop)
    assert len(said) == 6
    assert [path.name for path in paths[:2]] == [
        "PBJ_Daily_Nurse_Staffing_Q1_2024.csv",
        "PBJ_Daily_Nurse_Staffing_Q2_2024.zip",
    ]
    assert {path.name for path in paths} | {".README.txt"} == {path.name for path in drop.iterdir()}
    assert len(paths) == 2 + 4 * 5
    other = generate(tmp_path / "other", seed=8, releases=0)
    assert fingerprint(tmp_path / "other")[other[0].name] != fingerprint(drop)[other[0].name]


def test_times_are_business_dates(drop):
    noon_of = {
        "PBJ_Daily_Nurse_Staffing_Q1_2024.csv": "2024-07-01",
        "PBJ_Daily_Nurse_Staffing_Q2_2024.zip": "2024-10-01",
        "NH_ProviderInfo_Aug2024.csv": "2024-08-01",
    }
    for name, day in noon_of.items():
        assert np.datetime64(int((drop / name).stat().st_mtime), "s") == np.datetime64(f"{day}T12:00:00")
    with zipfile.ZipFile(drop / "PBJ_Daily_Nurse_Staffing_Q2_2024.zip") as archive:
        assert archive.infolist()[0].date_time == (2024, 10, 1, 12, 0, 0)


@pytest.mark.parametrize("quarter", ["2024Q1", "2024Q2"])
def test_staffing_is_complete_sorted_and_exact(drop, quarter):
    rows = staffing(drop, quarter)
    keys = [(row["PROVNUM"], row["WorkDate"]) for row in rows]
    assert keys == sorted(set(keys))
    truth = generate_truth().quarters[quarter]
    assert (truth.rows, truth.facilities, truth.days) == (len(rows), 120, 91)
    assert len({facility for facility, _ in keys}) * len({day for _, day in keys}) == len(rows)
    total = contract = Decimal(0)
    zero_hours = 0
    for row in rows:
        daily = Decimal(0)
        for name in CATEGORIES:
            whole, own, agency = (Decimal(row[f"Hrs_{name}{part}"]) for part in ("", "_emp", "_ctr"))
            assert whole == own + agency
            assert min(own, agency) >= 0
            daily += whole
            contract += agency
        total += daily
        zero_hours += daily == 0
    assert total * 100 == truth.hours_cents
    assert contract * 100 == truth.contract_cents
    assert sum(int(row["MDScensus"]) for row in rows) == truth.census
    assert zero_hours == truth.zero_hours_rows > 0
    assert sum(row["MDScensus"] == "0" for row in rows) == truth.zero_census_rows > 0


def test_figures_are_plausible(drop):
    sums = [PLAN._sums_of(quarter) for quarter in PLAN.parsed_quarters]
    for quarter in sums:
        rate = quarter.hours.sum(axis=1) / 100 / quarter.residents.sum()
        assert rate[:3].sum() == pytest.approx(0.60, abs=0.06)
        assert rate[3:5].sum() == pytest.approx(0.87, abs=0.09)
        assert rate[5:].sum() == pytest.approx(2.24, abs=0.2)
        weekend = quarter.weekend_hours.sum() / 100 / quarter.weekend_residents.sum()
        assert weekend < 0.9 * rate.sum()
        assert 0.04 < quarter.all_contract.sum() / quarter.all_hours.sum() < 0.10
        users = (quarter.all_contract > 0).mean()
        assert 0.2 < users < 0.5
    census = {int(row["MDScensus"]) for row in staffing(drop, "2024Q1")} - {0}
    assert 20 <= min(census) <= max(census) <= 180


def test_hours_have_two_decimals_at_most_and_no_trailing_zeros():
    cents = np.array([0, 5, 50, 100, 2880, 4207, 1_394_625, 10_000_000])
    expected = [b"0", b"0.05", b"0.5", b"1", b"28.8", b"42.07", b"13946.25", b"100000"]
    assert hours_text(cents).to_pylist() == expected
    assert hours_text(cents[:6]).to_pylist() == expected[:6]
    assert hours_text(cents[:0]).to_pylist() == []


def test_quirks_are_there_from_twenty_facilities_on(tmp_path):
    (path,) = generate(tmp_path, facilities=20, quarters=["2024Q2"], releases=0)
    raw = content(path)
    for byte in (b"\x92", b"\x96", b",\xa0", b'""'):
        assert byte in raw, byte
    rows = table(path, "cp1252")
    assert any(row["PROVNUM"][2].isalpha() for row in rows)
    assert any(row["PROVNUM"].startswith("0") for row in rows)
    assert any("," in row["PROVNAME"] for row in rows)
    for column in ("CITY", "COUNTY_NAME", "COUNTY_FIPS"):
        assert len({row["PROVNUM"] for row in rows if not row[column]}) == 1
    outliers = [(row["Hrs_LPN"], row["Hrs_LPN_ctr"]) for row in rows if float(row["Hrs_LPN"]) > 1000]
    assert outliers == [("13946.25", "13801.5")]
    truth = generate_truth(facilities=20, quarters=["2024Q2"])
    assert truth.quarters["2024Q2"].zero_census_rows == 3
    assert truth.quarters["2024Q2"].zero_hours_rows == 5
    assert set(truth.unknown_providers) <= {row["PROVNUM"] for row in rows}
    assert len(truth.unknown_providers) == 1


def test_no_quirks_when_none_are_wanted(tmp_path):
    paths = generate(tmp_path, facilities=40, quirks=False, _days=7)
    assert all(content(path).isascii() for path in paths)
    truth = generate_truth(facilities=40, quirks=False, _days=7)
    assert truth.unknown_providers == ()
    assert {(quarter.zero_census_rows, quarter.zero_hours_rows) for quarter in truth.quarters.values()} == {(0, 0)}


@pytest.mark.parametrize(
    ("quarter", "name", "ends", "columns"),
    [
        ("2017Q1", "CY_2017Q1", ("provnum", "hrs_medaide_ctr"), {"hrs_rn_donadmin", "hrs_lpn_admin", "hrs_na_trn"}),
        ("2017Q2", "CY_2017Q2", ("provnum", "hrs_natrn_ctr"), {"hrs_rndon", "hrs_rn_donadmin"}),
        ("2017Q4", "CY_2017Q4", ("provnum", "hrs_medaide_ctr"), {"hrs_rndon", "hrs_lpn_admin"}),
        ("2018Q3", "CY_2018Q3", ("PROVNUM", "Hrs_MedAide_ctr"), {"Hrs_LPNadmin"}),
        ("2019Q4", "CY_2019Q4", ("provnum", "hrs_medaide_ctr"), {"hrs_lpnadmin", "hrs_natrn"}),
        ("2020Q3", "CY_2020Q3", ("provnum", "hrs_medaide_ctr"), {"hrs_lpnadmin"}),
        ("2021Q4", "CY_2021Q4", ("PROVNUM", "incomplete"), {"Hrs_MedAide_ctr"}),
        ("2022Q1", "Q1_2022", ("PROVNUM", "Hrs_MedAide_ctr"), {"CY_Qtr"}),
    ],
)
def test_staffing_header_of_the_vintage(tmp_path, quarter, name, ends, columns):
    (path,) = generate(tmp_path, facilities=2, quarters=[quarter], releases=0, _days=3)
    assert path.name == f"PBJ_Daily_Nurse_Staffing_{name}.csv"
    header, *lines = csv.reader(io.StringIO(path.read_text("cp1252")))
    assert (header[0], header[-1]) == ends
    assert columns <= set(header)
    assert {len(line) for line in lines} == {len(header)} == {34 if quarter == "2021Q4" else 33}
    assert len(lines) == 6
    assert all(len(line[5]) == 3 or quarter.startswith("2017") for line in lines)
    assert {line[6] for line in lines} == {quarter}


@pytest.mark.parametrize(
    ("quarter", "key", "columns"),
    [("2021Q1", "Federal Provider Number", 88), ("2024Q2", KEY, 103), ("2025Q2", KEY, 99)],
)
def test_monthly_layouts_of_the_era(tmp_path, quarter, key, columns):
    generate(tmp_path, **{**TINY, "quarters": [quarter]})
    for path in tmp_path.glob("NH_*.csv"):
        raw = path.read_bytes()
        assert raw.endswith(b"\r\n\r\n") == (key != KEY)
        rows = list(csv.reader(io.StringIO(raw.decode("utf-8-sig" if key == KEY else "cp1252"))))
        widths = {len(row) for row in rows if row}
        assert len(widths) == 1
        if "ProviderInfo" in path.name:
            assert widths == {columns}
            assert rows[0][0] == key
            assert len({row[0] for row in rows[1:] if row}) in {4, 5}
    assert (next(tmp_path.glob("NH_Penalties_*"))).read_bytes().startswith(b"\xef\xbb\xbf") == (key == KEY)


def test_reported_rates_reconcile_with_the_quarter_that_the_release_names(drop):
    reported = {}
    for month, day in (("Jul", "2024-07-01"), ("Oct", "2024-10-01")):
        intervals = table(drop / f"NH_DataCollectionIntervals_{month}2024.csv", "utf-8")
        (levels,) = [row for row in intervals if row["Measure Code"] == "STAFFING_LEVELS"]
        first, last = levels["Data Collection Period From Date"], levels["Data Collection Period Through Date"]
        reported[month] = next(q for q in PLAN.parsed_quarters if f"{q.first:%m/%d/%Y}" == first)
        assert f"{reported[month].last:%m/%d/%Y}" == last
        assert PLAN.truth().reports[date.fromisoformat(day)] == str(reported[month])
    assert [str(quarter) for quarter in reported.values()] == ["2024Q1", "2024Q2"]

    for month, quarter in reported.items():
        hours: dict[str, dict[str, Decimal]] = {}
        for row in staffing(drop, str(quarter)):
            if row["MDScensus"] == "0":
                continue
            day = row["WorkDate"]
            sums = hours.setdefault(
                row["PROVNUM"], dict.fromkeys(("days", "rn", "total", "wdays", "wtotal"), Decimal(0))
            )
            total = sum(Decimal(row[f"Hrs_{name}"]) for name in CATEGORIES)
            sums["days"] += int(row["MDScensus"])
            sums["total"] += total
            sums["rn"] += sum(Decimal(row[f"Hrs_{name}"]) for name in ("RNDON", "RNadmin", "RN"))
            if date(int(day[:4]), int(day[4:6]), int(day[6:])).weekday() >= 5:
                sums["wdays"] += int(row["MDScensus"])
                sums["wtotal"] += total
        blank = 0
        for row in table(drop / f"NH_ProviderInfo_{month}2024.csv", "utf-8"):
            sums = hours[row[KEY]]
            total = row["Reported Total Nurse Staffing Hours per Resident per Day"]
            if not total:
                blank += 1
                assert row["Reported Staffing Footnote"] == "6"
                continue
            assert abs(Decimal(total) - sums["total"] / sums["days"]) <= Decimal("0.0000051")
            rn = Decimal(row["Reported RN Staffing Hours per Resident per Day"])
            assert abs(rn - sums["rn"] / sums["days"]) <= Decimal("0.0000051")
            weekend = Decimal(row["Total number of nurse staff hours per resident per day on the weekend"])
            assert abs(weekend - sums["wtotal"] / sums["wdays"]) <= Decimal("0.0000051")
            beds, residents = (
                float(row[name]) for name in ("Number of Certified Beds", "Average Number of Residents per Day")
            )
            assert beds >= residents > 0
        assert blank == PLAN.world.roles.suppressed.size


def normal(column: str, text: str) -> str:
    text = text.strip()
    if column == "Ownership Type":
        return text.lower()
    return text.removesuffix(".0") if column in (*RATINGS, "Number of Certified Beds") else text


MONTHS = ("Jul2024", "Aug2024", "Sep2024", "Oct2024")


def count_versions(
    drop: Path, *, measured: bool, normalise=normal, months=MONTHS, among=lambda _: True
) -> dict[str, int]:
    """Versions by provider, by diffing the files (some of the columns)."""
    versions: dict[str, int] = {}
    before: dict[str, tuple[str, ...]] = {}
    for month in months:
        now = {
            row[KEY]: tuple(
                normalise(name, text)
                for name, text in row.items()
                if name != "Processing Date" and (measured or not is_measured(name)) and among(name)
            )
            for row in table(drop / f"NH_ProviderInfo_{month}.csv", "utf-8")
        }
        for provider, attributes in now.items():
            versions[provider] = versions.get(provider, 0) + (before.get(provider) != attributes)
        before = now
    return versions


def test_expected_versions_are_those_of_the_files(drop):
    truth = generate_truth()
    assert count_versions(drop, measured=False) == truth.provider_versions
    assert count_versions(drop, measured=True) == truth.provider_versions_measured
    assert max(truth.provider_versions.values()) >= 3
    # Formatting alone would open versions if it were compared as it stands.
    raw = count_versions(drop, measured=False, normalise=lambda _, text: text)
    assert sum(raw.values()) > 2 * sum(truth.provider_versions.values())


def test_expected_versions_follow_a_footnote_that_got_another_number(tmp_path):
    plan = Deliveries(facilities=40, quarters=("2024Q2",), releases=4, days=7)
    for number in range(4):
        plan.release(tmp_path, number)
    months = ("Oct2024", "Nov2024", "Dec2024", "Jan2025")
    assert count_versions(tmp_path, measured=True, months=months) == plan.truth().provider_versions_measured
    before, after = (table(tmp_path / f"NH_ProviderInfo_{month}.csv", "utf-8") for month in months[2:])
    for rows, note in ((before, "12"), (after, "24")):
        assert {row["Staffing Rating Footnote"] for row in rows} == {"", "1", "6", "18", note}


def test_expected_versions_follow_ratings_that_move_with_the_score(tmp_path):
    plan = Deliveries(facilities=60, quarters=("2024Q4",), releases=4, days=7)
    for number in range(4):
        plan.release(tmp_path, number)
    months = ("Apr2025", "May2025", "Jun2025", "Jul2025")
    attributes = ("Provider Name", "Ownership Type", "Staffing Rating Footnote", *RATINGS)  # which both layouts have
    found = count_versions(tmp_path, measured=False, months=months, among=attributes.__contains__)
    assert found == plan.truth().provider_versions
    before, after = (table(tmp_path / f"NH_ProviderInfo_{month}.csv", "utf-8") for month in months[2:])
    stars = {row[KEY]: float(row["Health Inspection Rating"] or 0) for row in before}
    moved = [row for row in after if float(row["Health Inspection Rating"] or 0) != stars[row[KEY]]]
    assert 10 < len(moved) < 50


def test_presence_and_changes_follow_the_plan(drop):
    present = PLAN.history.present
    assert {tuple(column) for column in present.T.tolist()} == {
        (True, True, True, True),
        (False, False, False, False),  # unknown
        (False, True, True, True),  # new
        (True, False, True, True),  # absent once
        (True, True, False, False),  # closed
    }
    sizes = generate_truth().releases
    for (day, size), month in zip(sizes.items(), ("Jul", "Aug", "Sep", "Oct"), strict=True):
        rows = table(drop / f"NH_ProviderInfo_{month}2024.csv", "utf-8")
        assert len(rows) == size
        assert {row["Processing Date"] for row in rows} == {day.isoformat()}
        assert {row[KEY] for row in rows}.isdisjoint(generate_truth().unknown_providers)
        blank = [row for row in rows if not row["Overall Rating"]]
        assert {row["Overall Rating Footnote"] for row in blank} == {"1", "18"}
    for before, after in itertools.pairwise(present):
        assert (before & ~after).sum() <= 0.05 * before.sum()


def test_claims_have_four_rows_per_provider_and_new_scores_every_third_release(drop):
    truth = generate_truth()
    months = ("Jul", "Aug", "Sep", "Oct")
    tables = [table(drop / f"NH_QualityMsr_Claims_{month}2024.csv", "utf-8") for month in months]
    assert [len(rows) for rows in tables] == [4 * size for size in truth.releases.values()]
    scores = [{(row[KEY], row["Measure Code"]): row["Adjusted Score"] for row in rows} for rows in tables]
    versions = periods = 0
    for number, rows in enumerate(tables):
        for row in rows:
            key = row[KEY], row["Measure Code"]
            new = number == 0 or key not in scores[number - 1]
            versions += new or scores[number][key] != scores[number - 1][key]
            periods += new or number == 3
            assert (row["Adjusted Score"] == "") == (row["Footnote for Score"] == "9")
            if row["Adjusted Score"]:
                adjusted, observed, expected = (
                    float(row[f"{name} Score"]) for name in ("Adjusted", "Observed", "Expected")
                )
                nation = {"521": 23.15, "522": 12.21, "551": 1.72, "552": 1.65}[row["Measure Code"]]
                assert adjusted * expected / observed == pytest.approx(nation, rel=1e-5)
    assert versions == truth.claim_versions
    assert periods == truth.claim_versions_period
    assert any(not score for score in scores[0].values())


def test_penalties_add_up_to_the_totals_of_provider_information(drop):
    fines: dict[str, float] = {}
    for row in table(drop / "NH_Penalties_Oct2024.csv", "utf-8-sig"):
        fines[row[KEY]] = fines.get(row[KEY], 0.0) + float(row["Fine Amount"] or 0)
    for row in table(drop / "NH_ProviderInfo_Oct2024.csv", "utf-8"):
        assert float(row["Total Amount of Fines in Dollars"]) == fines.get(row[KEY], 0.0)


def test_corrected_delivery_lacks_facilities_and_changes_hours(tmp_path, drop):
    path = corrected(tmp_path, "2024Q2", drop_facilities=3, changed_facilities=2)
    assert path.name == "PBJ_Daily_Nurse_Staffing_Q2_2024_corrected.csv"
    assert path.stat().st_mtime > (drop / "PBJ_Daily_Nurse_Staffing_Q2_2024.zip").stat().st_mtime
    old = {(row["PROVNUM"], row["WorkDate"]): row for row in staffing(drop, "2024Q2")}
    new = {(row["PROVNUM"], row["WorkDate"]): row for row in table(path, "cp1252")}
    assert new.keys() < old.keys()
    assert len({facility for facility, _ in old.keys() - new.keys()}) == 3
    changed = {key for key, row in new.items() if row != old[key]}
    assert len(changed) == 2 * 7
    assert {Decimal(new[key]["Hrs_CNA"]) - Decimal(old[key]["Hrs_CNA"]) for key in changed} == {Decimal(2)}
    truth = PLAN.quarter_truth("2024Q2", Correction(3, 2))
    assert truth.rows == len(new) == 117 * 91
    assert truth.hours_cents == sum(Decimal(row[f"Hrs_{name}"]) for row in new.values() for name in CATEGORIES) * 100

    later = corrected(tmp_path, "2024Q2", drop_facilities=3, revision=2)
    assert later.name == "PBJ_Daily_Nurse_Staffing_Q2_2024_corrected2.csv"
    assert later.stat().st_mtime > path.stat().st_mtime


def test_single_deliveries_do_not_depend_on_what_else_is_written(tmp_path):
    plan = Deliveries(facilities=25, quarters=("2024Q2", "2024Q1", "2024Q2"), releases=4, days=5)
    assert plan.quarters == ("2024Q1", "2024Q2")
    plan.write(tmp_path / "all")
    fresh = Deliveries(facilities=25, quarters=("2024Q1", "2024Q2"), releases=4, days=5)
    assert fresh == plan
    paths = [*fresh.release(tmp_path / "one", 3), fresh.staffing(tmp_path / "one", "2024Q2")]
    everything = fingerprint(tmp_path / "all")
    assert fingerprint(tmp_path / "one") == {path.name: everything[path.name] for path in paths}


def test_a_release_reports_the_latest_quarter_generated_by_then():
    truth = generate_truth(facilities=1, quarters=["2024Q1", "2024Q3"], releases=8, _days=1)
    assert list(truth.reports.values()) == ["2024Q1"] * 6 + ["2024Q3"] * 2
    assert list(truth.reports)[-1] == date(2025, 2, 1)


@pytest.mark.parametrize("size", [1, 2, 4, 5, 19, 20, 24, 29, 30])
def test_small_worlds_work(tmp_path, size):
    plan = Deliveries(facilities=size, quarters=("2023Q4", "2024Q1"), releases=4, days=2)
    assert len(plan.write(tmp_path)) == 22
    truth = plan.truth()
    assert truth.quarters["2024Q1"].rows == size * 2
    assert sum(truth.provider_versions.values()) >= max(truth.releases.values())
    assert len(set(plan.world.ccn)) == size
    for before, after in itertools.pairwise(plan.history.present):
        assert (before & ~after).sum() <= 0.05 * before.sum()


@pytest.mark.parametrize(
    "arguments",
    [{"facilities": 0}, {"facilities": 20_000}, {"quarters": ["2016Q4"]}, {"quarters": []}, {"quarters": ["Q2"]}],
)
def test_impossible_plans_are_refused(arguments):
    with pytest.raises(ValueError, match=r"facilities must|not a quarter|at least one"):
        generate_truth(**arguments)


def test_other_refusals(tmp_path):
    with pytest.raises(ValueError, match="not among"):
        PLAN.staffing(tmp_path, "2019Q1")
    with pytest.raises(ValueError, match="cannot drop"):
        corrected(tmp_path, "2024Q1", drop_facilities=5, facilities=5)


@pytest.mark.golden
def test_headers_are_those_of_the_real_files(real_data):
    real = real_data / "drop"

    def header(name: str) -> list[str]:
        with contextlib.ExitStack() as stack:
            if (real / f"{name}.csv").exists():
                stream = stack.enter_context((real / f"{name}.csv").open("rb"))
            else:
                archive = stack.enter_context(zipfile.ZipFile(real / f"{name}.zip"))
                stream = stack.enter_context(archive.open(f"{name}.csv"))
            return next(csv.reader([stream.readline().decode("cp1252")]))

    compared = 0
    quarter = Quarter(2017, 1)
    while quarter <= Quarter(2024, 2):
        # The files of 2017Q2 and 2020Q2 do not bear CMS's own header.
        if list(real.glob(f"{staffing_name(quarter)}.*")) and str(quarter) not in ("2017Q2", "2020Q2"):
            assert header(staffing_name(quarter)) == list(staffing_header(quarter))
            compared += 1
        quarter = quarter.shift(1)
    assert compared >= 20
    for name, month in (("Aug2021", date(2021, 8, 1)), ("Nov2024", date(2024, 11, 1)), ("Dec2025", date(2025, 12, 1))):
        era = era_of(month)
        assert header(f"NH_ProviderInfo_{name}") == era.header(era.provider)
    era = era_of(date(2024, 10, 1))
    assert header("NH_QualityMsr_Claims_Oct2024") == era.header(era.claims)
    assert header("NH_Penalties_Oct2024") == era.header(era.penalties)
    assert header("NH_StateUSAverages_Oct2024") == list(era.averages)
    assert header("NH_DataCollectionIntervals_Oct2024") == list(INTERVALS)
    era = era_of(date(2021, 6, 1))
    assert header("NH_Penalties_Jun2021") == era.header(era.penalties)
