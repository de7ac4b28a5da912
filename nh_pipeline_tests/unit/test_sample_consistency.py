"""Generated files agree with each other by CMS's own rules: what one publishes follows from the others."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter, defaultdict
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from statistics import mean

import pytest

from nh_pipeline.datasets.cms.state_us_averages import MEASURES, STATE_US_AVERAGES
from nh_pipeline.sample import Deliveries
from nh_pipeline.sample.headers import CATEGORIES
from nh_pipeline.sample.layouts import KEY

PLAN = Deliveries(facilities=60, quarters=("2024Q1", "2024Q2"), releases=5, days=14, full_from=3)
LATER = Deliveries(facilities=60, quarters=("2024Q4", "2025Q1"), releases=5, days=7, full_from=2)
"""April to August 2025; in July there are two rating cycles instead of three, other measures and layouts."""
FIRST, LAST = "Oct2024", "Nov2024"
HPRD = "Staffing Hours per Resident per Day"
EXCERPTS = Path(__file__).parents[1] / "data"


class Folder:
    """Generated files, read once each."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: dict[str, list[dict[str, str]]] = {}

    def __call__(self, name: str) -> list[dict[str, str]]:
        if name not in self._read:
            raw = (self.path / f"{name}.csv").read_bytes()
            text = raw.decode("cp1252" if name.startswith("PBJ") else "utf-8-sig")
            self._read[name] = list(csv.DictReader(io.StringIO(text, newline="")))
        return self._read[name]

    def header(self, name: str) -> list[str]:
        return list(self(name)[0])


@pytest.fixture(scope="module")
def of(tmp_path_factory) -> Folder:
    folder = tmp_path_factory.mktemp("consistent")
    PLAN.write(folder)
    return Folder(folder)


@pytest.fixture(scope="module")
def later(tmp_path_factory) -> Folder:
    folder = tmp_path_factory.mktemp("later")
    LATER.write(folder)
    return Folder(folder)


def number(text: str) -> float | None:
    return float(text) if text else None


def averages(rows, value, group=lambda row: row["State"]) -> dict[str, float]:
    """Means of the values that are there, by group, and of all as NATION."""
    found = defaultdict(list)
    for row in rows:
        if (figure := value(row)) is not None:
            found["NATION"].append(figure)
            found[group(row)].append(figure)
    return {key: mean(values) for key, values in found.items()}


def agrees(of, month, column, expected, digits) -> None:
    rows = of(f"NH_StateUSAverages_{month}")
    assert len(rows) > 10
    for row in rows:
        if (known := expected.get(row["State or Nation"])) is None:
            assert row[column] == ""
        else:
            assert abs(float(row[column]) - known) <= 0.5001 * 10**-digits, (row["State or Nation"], column)


EXCERPT_OF = {
    "NH_QualityMsr_MDS": "mds_quality_measures/2024-10",
    "NH_HealthCitations": "health_citations/2024-10",
    "NH_FireSafetyCitations": "fire_safety_citations/2024-10",
    "NH_CitationDescriptions": "citation_descriptions/undated",
    "NH_SurveySummary": "survey_summary/2024-10",
    "NH_SurveyDates": "survey_dates/2024-10",
    "NH_HlthInspecCutpointsState": "health_inspection_cutpoints/undated",
    "NH_Ownership": "ownership/2024-10",
    "NH_DataCollectionIntervals": "data_collection_intervals/2024-10",
    "NH_StateUSAverages": "state_us_averages/2024-10",
    "NH_ProviderInfo": "providers/2024-11",
    "NH_Penalties": "penalties/2024-10",
    "NH_QualityMsr_Claims": "medicare_claims/2024-10",
    "NH_CovidVaxProvider": "covid_vax_provider/2024-10",
    "NH_CovidVaxAverages": "covid_vax_averages/2024-10",
    "Skilled_Nursing_Facility_Quality_Reporting_Program_Provider_Data": "snf_qrp_provider/undated",
    "Skilled_Nursing_Facility_Quality_Reporting_Program_National_Data": "snf_qrp_national/undated",
    "Swing_Bed_SNF_data": "swing_bed_snf/undated",
    "FY_2024_SNF_VBP_Facility_Performance": "snf_vbp_facility/FY2024",
    "FY_2024_SNF_VBP_Aggregate_Performance": "snf_vbp_aggregate/FY2024",
}


@pytest.mark.parametrize("name", EXCERPT_OF)
def test_headers_are_those_of_cms(of, name):
    with (EXCERPTS / f"{EXCERPT_OF[name]}.csv").open(encoding="utf-8") as excerpt:
        real = next(csv.reader(excerpt))
    paths = sorted(of.path.glob(f"{name}*.csv"))
    assert paths
    for path in paths:
        with path.open(encoding="utf-8-sig") as stream:
            assert next(csv.reader(stream)) == real


@pytest.mark.golden
def test_headers_of_chains_and_enrollments_are_those_of_cms(of, later, real_data):
    for folder, name, real in (
        (of, "Nursing_Home_Affiliated_Entity_Performance_Measures_Nov_2024", "Affiliated_Entity_*_Mar_2025"),
        (later, "Nursing_Home_Chain_Performance_Measures_Aug_2025", "Chain_*_Jun_2026"),
        (of, "SNF_Enrollments_2024.11.01", "SNF_Enrollments_*"),
    ):
        (path,) = (real_data / "excerpts").glob(f"*{real}.csv")
        with path.open(encoding="utf-8") as stream:
            assert folder.header(name) == next(csv.reader(stream))


def test_every_file_comes_with_the_last_releases_only_and_is_the_same_each_time(of, tmp_path):
    names = {path.name for path in of.path.glob("*.csv")}
    assert len([name for name in names if "Sep2024" in name]) == 5
    assert len([name for name in names if re.search("Nov.?2024|2024.11.01|20241027", name)]) == 5 + 15
    assert sum(name.startswith("FY_2024") for name in names) == 2
    same = Deliveries(facilities=60, quarters=("2024Q1", "2024Q2"), releases=5, days=14, full_from=3)
    for path in same.release(tmp_path, 4):
        assert path.read_bytes() == (of.path / path.name).read_bytes()
    few = Deliveries(facilities=60, quarters=("2024Q1", "2024Q2"), releases=5, days=14)
    for path in few.release(tmp_path, 3):
        assert path.read_bytes() == (of.path / path.name).read_bytes()


def test_licensed_and_total_hours_are_sums(of):
    compared = 0
    for row in of(f"NH_ProviderInfo_{LAST}"):
        aide, lpn, rn, licensed, total = (
            number(row[f"Reported {job} {HPRD}"]) for job in ("Nurse Aide", "LPN", "RN", "Licensed", "Total Nurse")
        )
        if total is not None:
            compared += 1
            assert licensed == pytest.approx(rn + lpn, abs=2e-5)
            assert total == pytest.approx(aide + licensed, abs=2e-5)
    assert compared > 50


def test_case_mix_hours_are_one_number_of_the_nation_times_the_ratio(of):
    rows = [row for row in of(f"NH_ProviderInfo_{LAST}") if row["Nursing Case-Mix Index Ratio"]]
    constants = {}
    for skill in ("Nurse Aide", "LPN", "RN", "Total Nurse", "Weekend Total Nurse"):
        found = [float(row[f"Case-Mix {skill} {HPRD}"]) / float(row["Nursing Case-Mix Index Ratio"]) for row in rows]
        assert max(found) - min(found) < 2e-5
        constants[skill] = mean(found)
    parts = constants["Nurse Aide"] + constants["LPN"] + constants["RN"]
    assert constants["Total Nurse"] == pytest.approx(parts, abs=3e-5)
    index = [float(row["Nursing Case-Mix Index"]) / float(row["Nursing Case-Mix Index Ratio"]) for row in rows]
    assert max(index) - min(index) < 2e-5


@pytest.mark.parametrize("month", ["Jul2024", FIRST, LAST])
def test_adjusted_hours_use_the_case_mix_of_the_nation(of, month):
    nation = of(f"NH_StateUSAverages_{month}")[0]
    for row in of(f"NH_ProviderInfo_{month}"):
        for skill, reported in (
            ("RN", f"Reported RN {HPRD}"),
            ("Total Nurse", f"Reported Total Nurse {HPRD}"),
            ("Weekend Total Nurse", "Total number of nurse staff hours per resident per day on the weekend"),
        ):
            if row[reported]:
                case_mix = f"Case-Mix {skill} {HPRD}"
                expected = float(row[reported]) / float(row[case_mix]) * float(nation[case_mix])
                assert float(row[f"Adjusted {skill} {HPRD}"]) == pytest.approx(expected, rel=3e-5)


DIGITS = {
    "Average Number of Residents per Day": 1,
    **{f"Reported {job} {HPRD}": 2 for job in ("Nurse Aide", "LPN", "Licensed")},
    **{f"Reported {job} {HPRD}": 5 for job in ("RN", "Total Nurse")},
    "Total number of nurse staff hours per resident per day on the weekend": 5,
    "Registered Nurse hours per resident per day on the weekend": 2,
    "Reported Physical Therapist Staffing Hours per Resident Per Day": 2,
    "Total nursing staff turnover": 1,
    "Registered Nurse turnover": 1,
    "Number of administrators who have left the nursing home": 1,
    "Nursing Case-Mix Index": 5,
    **{f"Case-Mix {skill} {HPRD}": 5 for skill in ("RN", "Total Nurse", "Weekend Total Nurse")},
}


@pytest.mark.parametrize("month", ["Jul2024", LAST])
def test_averages_of_states_are_means_of_homes(of, month):
    rows = of(f"NH_ProviderInfo_{month}")
    for column, digits in DIGITS.items():
        agrees(of, month, column, averages(rows, lambda row, column=column: number(row[column])), digits)


@pytest.mark.parametrize("month", ["Jul2024", LAST])
def test_averages_of_fines_count_homes_without_any(of, month):
    homes = of(f"NH_ProviderInfo_{month}")
    fines, dollars = Counter(), Counter()
    for row in of(f"NH_Penalties_{month}"):
        fines[row[KEY]] += row["Penalty Type"] == "Fine"
        dollars[row[KEY]] += float(row["Fine Amount"] or 0)
    agrees(of, month, "Number of Fines", averages(homes, lambda row: fines[row[KEY]]), 1)
    agrees(of, month, "Fine Amount in Dollars", averages(homes, lambda row: dollars[row[KEY]]), 0)


def test_penalties_of_homes_are_those_of_the_penalties_file_but_for_revised_fines(of):
    def counted(month: str) -> dict[str, tuple[float, ...]]:
        found = defaultdict(lambda: (0, 0.0, 0))
        for row in of(f"NH_Penalties_{month}"):
            fines, dollars, denials = found[row[KEY]]
            fine = row["Penalty Type"] == "Fine"
            found[row[KEY]] = (fines + fine, dollars + float(row["Fine Amount"] or 0), denials + (not fine))
        return found

    before, now = counted(FIRST), counted(LAST)
    revised = 0
    for row in of(f"NH_ProviderInfo_{LAST}"):
        fines, dollars, denials = now[row[KEY]]
        assert (int(row["Number of Fines"]), int(row["Number of Payment Denials"])) == (fines, denials)
        assert int(row["Total Number of Penalties"]) == fines + denials
        revised += float(row["Total Amount of Fines in Dollars"]) != dollars
        assert float(row["Total Amount of Fines in Dollars"]) in {dollars, before[row[KEY]][1]}
    assert 0 < revised < 6


def test_a_reduced_fine_is_in_provider_information_one_release_later(later):
    def dollars(month: str) -> tuple[dict[str, float], dict[str, float]]:
        """As Penalties and as Provider Information have them, by home."""
        fined = defaultdict(float)
        for row in later(f"NH_Penalties_{month}"):
            fined[row[KEY]] += float(row["Fine Amount"] or 0)
        homes = {row[KEY]: float(row["Total Amount of Fines in Dollars"]) for row in later(f"NH_ProviderInfo_{month}")}
        return {home: fined[home] for home in homes}, homes

    (june, told_in_june), (july, told_in_july), (august, told_in_august) = map(
        dollars, ("Jun2025", "Jul2025", "Aug2025")
    )
    assert june == told_in_june == told_in_july
    assert july == august == told_in_august
    assert june != july


@pytest.mark.parametrize(
    ("folder", "month", "measures"), [("of", LAST, 22), ("later", "Jun2025", 22), ("later", "Aug2025", 21)]
)
def test_averages_of_measures_are_means_of_scores(request, folder, month, measures):
    of = request.getfixturevalue(folder)
    column_of = {label.casefold(): column.name for column in STATE_US_AVERAGES.columns for label in column.labels}
    label_of = {column_of[label.casefold()]: label for label in of.header(f"NH_StateUSAverages_{month}")}
    mds, claims = of(f"NH_QualityMsr_MDS_{month}"), of(f"NH_QualityMsr_Claims_{month}")
    codes = {row["Measure Code"] for row in (*mds, *claims)}
    assert {MEASURES[code] for code in codes} == label_of.keys() & set(MEASURES.values())
    assert len(codes) == measures
    for code in codes:
        rows, score = (claims, "Adjusted Score") if code > "500" else (mds, "Four Quarter Average Score")
        rows = [row for row in rows if row["Measure Code"] == code]
        agrees(of, month, label_of[MEASURES[code]], averages(rows, lambda row, score=score: number(row[score])), 6)


def test_averages_have_stars_with_the_layout_of_2025(later):
    for name in ("Overall Rating", "Health Inspection Rating", "QM Rating", "Staffing Rating"):
        assert name not in later.header("NH_StateUSAverages_Jun2025")
        stars = averages(later("NH_ProviderInfo_Aug2025"), lambda row, name=name: number(row[name]))
        agrees(later, "Aug2025", name, stars, 1)


def test_adjusted_claims_are_observed_over_expected_times_one_number(of):
    for code in ("521", "522", "551", "552"):
        constants = [
            float(row["Adjusted Score"]) * float(row["Expected Score"]) / float(row["Observed Score"])
            for row in of(f"NH_QualityMsr_Claims_{LAST}")
            if row["Measure Code"] == code and row["Adjusted Score"]
        ]
        assert len(constants) > 30
        assert max(constants) - min(constants) < 1e-4


def test_vaccination_averages_are_means_of_homes(of):
    for column in of.header("NH_CovidVaxAverages_20241027")[1:3]:
        expected = averages(of("NH_CovidVaxProvider_20241027"), lambda row, column=column: float(row[column]))
        expected["US"] = expected.pop("NATION")
        for row in of("NH_CovidVaxAverages_20241027"):
            assert float(row[column]) == pytest.approx(expected[row["State"]], abs=0.0501)


def overall(inspection: int, staffing: int | None, quality: int | None, *, before_july_2022: bool = False) -> int:
    better = staffing is not None and (staffing >= 4 and staffing > inspection if before_july_2022 else staffing == 5)
    stars = min(max(inspection + better - (staffing == 1), 1), 5)
    stars = min(max(stars + (quality == 5) - (quality == 1), 1), 5)
    return min(stars, 2) if inspection == 1 else stars


@pytest.mark.parametrize(
    ("folder", "month"),
    [
        ("of", "Jul2024"),
        ("of", "Sep2024"),
        ("of", LAST),
        ("later", "Jun2025"),
        ("later", "Jul2025"),
        ("later", "Aug2025"),
    ],
)
def test_overall_rating_follows_from_the_three_others(request, folder, month):
    of = request.getfixturevalue(folder)
    seen = Counter()
    for row in of(f"NH_ProviderInfo_{month}"):
        inspection, staffing, quality, stars = (
            None if not row[name] else int(float(row[name]))
            for name in ("Health Inspection Rating", "Staffing Rating", "QM Rating", "Overall Rating")
        )
        if inspection is None:
            assert (stars, row["Overall Rating Footnote"]) in {(None, "1"), (None, "18")}
        else:
            seen[stars] += 1
            assert stars == overall(inspection, staffing, quality)
            assert stars == overall(inspection, staffing, quality, before_july_2022=True)
    assert set(seen) == {1, 2, 3, 4, 5}


POINTS = dict(zip("BCDEFGHIJKL", (0, 0, 4, 8, 16, 20, 35, 45, 50, 100, 150), strict=True))
SUBSTANDARD = POINTS | dict(zip("FHIJKL", (20, 40, 50, 75, 125, 175), strict=True))
SUBSTANDARD_IN = ("Freedom from Abuse, Neglect, and Exploitation Deficiencies", "Quality of Life and Care Deficiencies")


def points(row: dict[str, str]) -> int:
    severity = row["Scope Severity Code"]
    if row["Deficiency Corrected"] == "Past Non-Compliance" and severity in "JKL":
        return 20
    return (SUBSTANDARD if row["Deficiency Category"] in SUBSTANDARD_IN else POINTS)[severity]


def by_cycle(rows) -> dict[tuple[str, str], list[dict[str, str]]]:
    found = defaultdict(list)
    for row in rows:
        found[row[KEY], row["Inspection Cycle"]].append(row)
    return found


@pytest.mark.parametrize("two_cycles", [False, True])
def test_inspections_are_scored_from_citations(of, later, two_cycles):
    folder, month = (later, "Aug2025") if two_cycles else (of, LAST)
    cited = by_cycle(folder(f"NH_HealthCitations_{month}"))
    scores = Counter()
    for row in folder(f"NH_ProviderInfo_{month}"):
        totals = []
        for cycle in "12" if two_cycles else "123":
            start = "Rating Cycle 2/3" if two_cycles and cycle == "2" else f"Rating Cycle {cycle}"
            if not row[f"{start} Total Health Score"]:
                assert cycle == "3"
                assert (row[KEY], cycle) not in cited
                continue
            rows = cited[row[KEY], cycle]
            flags = {name: sum(r[f"{name} Deficiency"] == "Y" for r in rows) for name in ("Standard", "Complaint")}
            deficiencies, score = int(row[f"{start} Health Deficiency Score"]), int(row[f"{start} Total Health Score"])
            assert int(row[f"{start} Total Number of Health Deficiencies"]) == len(rows)
            assert int(row[f"Rating Cycle {cycle} Number of Standard Health Deficiencies"]) == flags["Standard"]
            assert int(row[f"{start} Number of Complaint Health Deficiencies"]) == flags["Complaint"]
            assert deficiencies == sum(map(points, rows))
            share = (0, 0, 0.5, 0.7, 0.85)[int(row[f"{start} Number of Health Revisits"])]
            assert abs(int(row[f"{start} Health Revisit Score"]) - deficiencies * share) <= 0.5
            assert score == deficiencies + int(row[f"{start} Health Revisit Score"])
            totals.append(Fraction(score))
        weights = {3: (1 / 2, 1 / 3, 1 / 6), 2: (0.75, 0.25) if two_cycles else (0.6, 0.4)}[len(totals)]
        weighted = sum(float(total) * weight for total, weight in zip(totals, weights, strict=True))
        assert float(row["Total Weighted Health Survey Score"]) == pytest.approx(weighted, abs=0.0006)
        infections = sum(r["Infection Control Inspection Deficiency"] == "Y" for n in "123" for r in cited[row[KEY], n])
        assert int(row["Number of Citations from Infection Control Inspections"]) == infections
        scores[len(totals)] += 1
    assert len(scores) == (1 if two_cycles else 2)
    assert (folder(f"NH_StateUSAverages_{month}")[0]["Cycle 3 Total Number of Health Deficiencies"] == "") == two_cycles
    severe = Counter(r["Scope Severity Code"] for rows in cited.values() for r in rows)
    assert set("DEFG") < set(severe)
    tags = [(r[KEY], r["Survey Date"], r["Deficiency Tag Number"]) for rows in cited.values() for r in rows]
    assert len(tags) == len(set(tags))


def test_summaries_count_citations_of_standard_surveys_by_category(of):
    standard = [row for row in of(f"NH_HealthCitations_{LAST}") if row["Standard Deficiency"] == "Y"]
    health, fire = by_cycle(standard), by_cycle(of(f"NH_FireSafetyCitations_{LAST}"))
    columns = of.header(f"NH_SurveySummary_{LAST}")[11:-2]
    for row in of(f"NH_SurveySummary_{LAST}"):
        key = row[KEY], row["Inspection Cycle"]
        assert int(row["Total Number of Health Deficiencies"]) == len(health[key])
        assert int(row["Total Number of Fire Safety Deficiencies"]) == len(fire[key])
        named = Counter(
            f"Count of {cited['Deficiency Category'].replace(', and', ' and').replace(',', ' and')}"
            for cited in health[key] + fire[key]
        )
        assert {name: int(row[name]) for name in columns if row[name] != "0"} == named
    fire_total = "Total Number of Fire Safety Deficiencies"
    for cycle in "123":
        rows = [row for row in of(f"NH_SurveySummary_{LAST}") if row["Inspection Cycle"] == cycle]
        agrees(of, LAST, f"Cycle {cycle} {fire_total}", averages(rows, lambda row: int(row[fire_total])), 1)
        name = f"Rating Cycle {cycle} Total Number of Health Deficiencies"
        homes = [row for row in of(f"NH_ProviderInfo_{LAST}") if row[name]]
        agrees(of, LAST, name.removeprefix("Rating "), averages(homes, lambda row, name=name: int(row[name])), 1)
    assert len(health) + len(fire) > 100


def test_citations_and_surveys_name_the_same_days_and_tags(of):
    surveys = {
        (row[KEY], row["Survey Date"], row["Survey Cycle"]): row["Type of Survey"]
        for row in of(f"NH_SurveyDates_{LAST}")
        if row["Type of Survey"].startswith(("Health", "Infection"))
    }
    look_up = {row["Deficiency Prefix and Number"]: row for row in of(f"NH_CitationDescriptions_{LAST}")}
    for kind in ("Health", "FireSafety"):
        for row in of(f"NH_{kind}Citations_{LAST}"):
            tag = look_up[f"{row['Deficiency Prefix']}-{row['Deficiency Tag Number']}"]
            assert tag["Deficiency Description"] == row["Deficiency Description"]
            assert tag["Deficiency Category"] == row["Deficiency Category"]
            if kind == "Health":
                assert (row[KEY], row["Survey Date"], row["Inspection Cycle"]) in surveys
    for row in of(f"NH_ProviderInfo_{LAST}"):
        assert (row[KEY], row["Rating Cycle 1 Standard Survey Health Date"], "1") in surveys


@pytest.mark.parametrize(
    ("folder", "first", "last"), [("of", FIRST, LAST), ("later", "May2025", "Jun2025"), ("later", "Jul2025", "Aug2025")]
)
def test_health_inspection_rating_follows_from_the_cut_points_unless_held(request, folder, first, last):
    of = request.getfixturevalue(folder)
    cuts = {
        row["State"]: [float(row[f"{n} Stars"].split("-")[1]) for n in (5, 4, 3, 2)]
        for row in of(f"NH_HlthInspecCutpointsState_{last}")
    }
    for ends in cuts.values():
        assert all(low < high for low, high in pairwise(ends))
    before = {row[KEY]: row for row in of(f"NH_ProviderInfo_{first}")}
    held = capped = 0
    for row in of(f"NH_ProviderInfo_{last}"):
        score, stars = (
            float(row["Total Weighted Health Survey Score"]),
            row["Health Inspection Rating"].removesuffix(".0"),
        )
        due = 5 - sum(score > end for end in cuts[row["State"]])
        if row["Abuse Icon"] == "Y":
            capped += due > 2
            due = min(due, 2)
        if stars and int(stars) != due:
            held += 1
            assert float(before[row[KEY]]["Health Inspection Rating"]) == float(stars)
            assert before[row[KEY]]["Total Weighted Health Survey Score"] == row["Total Weighted Health Survey Score"]
        assert stars or row["Health Inspection Rating Footnote"] in {"1", "18"}
    assert held == 1
    assert capped


@pytest.mark.parametrize(("month", "day"), [("Jul2024", date(2024, 7, 1)), (LAST, date(2024, 11, 1))])
def test_old_inspections_are_flagged(of, month, day):
    flags = Counter()
    for row in of(f"NH_ProviderInfo_{month}"):
        inspected = date.fromisoformat(row["Rating Cycle 1 Standard Survey Health Date"])
        flag = row["Most Recent Health Inspection More Than 2 Years Ago"]
        flags[flag] += 1
        assert (flag == "Y") == (day - inspected > timedelta(days=732))
    assert set(flags) == {"N", "Y"}


@pytest.mark.parametrize(
    ("folder", "month", "name", "note"),
    [
        ("of", LAST, "PBJ_Daily_Nurse_Staffing_Q2_2024", "12"),
        ("later", "Aug2025", "PBJ_Daily_Nurse_Staffing_Q1_2025", "24"),
    ],
)
def test_homes_without_registered_nurses_on_four_days_have_one_star(request, folder, month, name, note):
    of = request.getfixturevalue(folder)
    days = Counter()
    for row in of(name):
        hours = sum(float(row[f"Hrs_{job}"]) for job in CATEGORIES[:3])
        days[row["PROVNUM"]] += row["MDScensus"] != "0" and hours == 0
    noted = 0
    for row in of(f"NH_ProviderInfo_{month}"):
        if row["Staffing Rating Footnote"] == note:
            noted += 1
            assert row["Staffing Rating"].removesuffix(".0") == "1"
            assert days[row[KEY]] >= 4
        else:
            assert days[row[KEY]] < 4 or row["Staffing Rating Footnote"]
    assert noted


def test_chains_are_means_of_their_homes(of, later):
    homes = later("NH_ProviderInfo_Aug2025")
    sizes = Counter(row["Chain ID"] for row in homes)
    file = {row["Chain ID"]: row for row in later("Nursing_Home_Chain_Performance_Measures_Aug_2025")}
    ratings = {
        "Overall 5-star": ("Overall Rating", "overall 5-star"),
        "Health Inspection": ("Health Inspection Rating", "health inspection"),
        "Staffing": ("Staffing Rating", "staffing"),
        "QM": ("QM Rating", "quality"),
    }
    for name, (column, label) in ratings.items():
        expected = averages(homes, lambda row, column=column: number(row[column]), lambda row: row["Chain ID"])
        for row in homes:
            if row["Chain ID"]:
                shown = row[f"Chain Average {name} Rating"]
                assert int(row["Number of Facilities in Chain"]) == sizes[row["Chain ID"]]
                assert (row["Chain ID"] in expected) == bool(shown)
                if shown:
                    assert float(shown) == pytest.approx(expected[row["Chain ID"]], abs=0.0501)
                assert file[row["Chain ID"]][f"Average {label} rating"] == shown
    dollars, fines = Counter(), Counter()
    chain_of = {row[KEY]: row["Affiliated Entity ID"] for row in of(f"NH_ProviderInfo_{LAST}")}
    for row in of(f"NH_Penalties_{LAST}"):
        fines[chain_of[row[KEY]]] += row["Penalty Type"] == "Fine"
        dollars[chain_of[row[KEY]]] += float(row["Fine Amount"] or 0)
    nation, *chains = of("Nursing_Home_Affiliated_Entity_Performance_Measures_Nov_2024")
    assert (int(nation["Total number of fines"]), nation["Affiliated entity"]) == (fines.total(), "National")
    sizes = Counter(chain_of.values())
    assert len(chains) > 5
    for row in chains:
        chain = row["Affiliated entity ID"]
        assert int(row["Number of facilities"]) == sizes[chain]
        assert int(row["Total number of fines"]) == fines[chain]
        assert float(row["Total amount of fines in dollars"]) == dollars[chain]
        assert float(row["Average amount of fines in dollars"]) == pytest.approx(
            dollars[chain] / sizes[chain], abs=0.006
        )


def test_value_based_purchasing_follows_from_the_rates(of):
    (aggregate,) = of("FY_2024_SNF_VBP_Aggregate_Performance")
    threshold, benchmark = (float(aggregate[f"FY 2024 {name}"]) for name in ("Achievement Threshold", "Benchmark"))
    rows = of("FY_2024_SNF_VBP_Facility_Performance")
    scores = [float(row["Performance Score"]) for row in rows]
    without = 0
    for row, score in zip(rows, scores, strict=True):
        p = 1 - float(row["Performance Period: FY 2022 Risk-Standardized Readmission Rate"])
        achieved = 10 * (9 * (p - threshold) / (benchmark - threshold) + 0.5)
        achieved = 0 if p < threshold - 1e-9 else 100 if p >= benchmark - 1e-9 else achieved
        assert float(row["Achievement Score"]) == pytest.approx(achieved, abs=1e-4)
        baseline = row["Baseline Period: FY 2019 Risk-Standardized Readmission Rate"]
        if baseline == "---":
            without += 1
            assert row["Improvement Score"] == "---"
            assert "fewer than 25" in row["Footnote -- Improvement Score"]
            improved = 0.0
        else:
            before = 1 - float(baseline)
            improved = 0.0
            if p > before + 1e-9:
                gained = 10 * (10 * (p - before) / (benchmark - before) - 0.5) if p < benchmark - 1e-9 else 90
                improved = min(max(gained, 0), 90)
            assert float(row["Improvement Score"]) == pytest.approx(improved, abs=1e-4)
        assert score == pytest.approx(max(achieved, improved), abs=1e-4)
        assert int(row["SNF VBP Program Ranking"]) == 1 + sum(other > score for other in scores)
    assert without
    multipliers = [row["Incentive Payment Multiplier"] for row in rows]
    assert aggregate["Range of Incentive Payment Multipliers"] == f"{min(multipliers)}-{max(multipliers)}"
    assert aggregate["Range of Performance Scores"] == f"{min(scores):.5f}-{max(scores):.5f}"
    assert int(aggregate["Total Number of SNFs Receiving Value-Based Incentive Payments"]) == len(rows)


def test_the_nation_of_the_reporting_program_counts_its_homes(of):
    found = Counter(
        row["Score"]
        for row in of(f"Skilled_Nursing_Facility_Quality_Reporting_Program_Provider_Data_{LAST}")
        if row["Measure Code"] == "S_004_01_PPR_PD_COMP_PERF"
    )
    national = {
        row["Measure Code"]: row["Score"]
        for row in of(f"Skilled_Nursing_Facility_Quality_Reporting_Program_National_Data_{LAST}")
    }
    assert int(national["S_004_01_PPR_PD_N_NO_DIFF_NAT"]) == found["No Different than the National Rate"] > 30
    assert int(national["S_004_01_PPR_PD_N_TOO_SMALL"]) == found["Not Available"]


def test_owners_change_with_the_kind_of_owner(of):
    def owners(month: str) -> dict[str, set[str]]:
        found = defaultdict(set)
        for row in of(f"NH_Ownership_{month}"):
            found[row[KEY]].add(row["Owner Name"])
        return found

    kinds = [{row[KEY]: row["Ownership Type"].lower() for row in of(f"NH_ProviderInfo_{m}")} for m in (FIRST, LAST)]
    sold = {ccn for ccn, kind in kinds[1].items() if kinds[0].get(ccn, kind) != kind}
    before, now = owners(FIRST), owners(LAST)
    assert sold
    assert {ccn for ccn, names in now.items() if names != before[ccn]} == sold
