"""Value-based purchasing: header cells that carry years and measures become rows, also those of years to come."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from decimal import Decimal
from pathlib import Path

import pytest

from nh_pipeline.datasets.cms.snf_vbp import FCT_SNF_VBP, FCT_SNF_VBP_AGGREGATE
from nh_pipeline.landing.confirmations import confirm
from nh_pipeline.model.table import REJECTS
from nh_pipeline_tests.support import chain

pytestmark = pytest.mark.integration

DATA = Path(__file__).resolve().parents[1] / "data"
LATER = (
    "SNF VBP Program Ranking,CMS Certification Number (CCN),Baseline Period: FY 2027 Dental Care Rate,"
    "Footnote -- Baseline Period: FY 2027 Dental Care Rate,Performance Period: FY 2029 Dental Care Rate,"
    "Dental Care Achievement Score,Dental Care Measure Score,Incentive Payment Multiplier,Colour of the Door\n"
    "1,01A193,---,Too few residents,0.75,9.5,9.5,1.01,green\n"
)
NATION_LATER = (
    "Performance Period: FY 2029 National Average Dental Care Rate,FY 2031 Dental Care Achievement Threshold,"
    "FY 2031 Dental Care Benchmark,Range of Incentive Payment Multipliers,"
    "Total Number of SNFs Receiving Value-Based Incentive Payments,Total Amount of Value-Based Incentive Payments ($)\n"
    '0.5,0.4,0.9,0.98 - 1.02,"14,000","$512,345,678.90"\n'
)


def later(cells):
    """A header of the year after."""
    return [re.sub("FY (20[0-9]{2})", lambda year: f"FY {int(year[1]) + 1}", cell) for cell in cells]


@pytest.fixture(scope="module")
def lake(engine, tmp_path_factory):
    """The excerpts of FY 2024 and, both in one archive, FY 2026 and an invented FY 2031; and the nation's."""
    drop = tmp_path_factory.mktemp("drop")
    with zipfile.ZipFile(drop / "facilities.zip", "w") as archive:
        archive.write(DATA / "snf_vbp_facility" / "FY2026-generated.csv", "FY_2026_SNF_VBP_Facility_Performance.csv")
        archive.writestr("FY_2031_SNF_VBP_Facility_Performance.csv", LATER)
    with (DATA / "snf_vbp_facility" / "FY2024.csv").open() as stream:  # saved anew where decimals have a comma
        header, *told = csv.reader(stream)
    (drop / "FY_2025_SNF_VBP_Facility_Performance.csv").write_text(
        "\n".join(";".join(line) for line in [later(header), *([c.replace(".", ",") for c in row] for row in told)])
    )
    (drop / "FY_2031_SNF_VBP_Aggregate_Performance.csv").write_text(NATION_LATER)
    w = chain.workspace_at(tmp_path_factory.mktemp("lake"), engine)
    chain.land(w, DATA / "snf_vbp_facility" / "FY2024.csv", drop, DATA / "snf_vbp_aggregate" / "FY2024.csv")
    for delivery in w.zone.deliveries():
        confirm(w.lake.storage, delivery, reason="a few lines of a release are given")
    chain.whole(w)
    assert chain.rows(w.lake, REJECTS) == []
    return w


@pytest.fixture(scope="module")
def figures(lake):
    """value, period and footnote by fiscal year, home, measure and component."""
    return {
        tuple(row[name] for name in FCT_SNF_VBP.grain): (row["value"], row["period"], row["footnote"])
        for row in chain.rows(lake.lake, FCT_SNF_VBP)
    }


def test_one_measure_as_until_fy_2025(figures):
    one = {key[2:]: value for key, value in figures.items() if key[:2] == ("FY2024", "010045")}
    assert one == {
        ("snfrm", "baseline"): (Decimal("0.18901"), "FY2019", None),
        ("snfrm", "performance"): (Decimal("0.17240"), "FY2022", None),
        ("snfrm", "achievement_score"): (Decimal("88.46890"), None, None),
        ("snfrm", "improvement_score"): (Decimal("80.88418"), None, None),
        ("programme", "performance_score"): (Decimal("88.46890"), None, None),
        ("programme", "ranking"): (Decimal(712), None, None),
        ("programme", "multiplier"): (Decimal("1.0171396083"), None, None),
    }


def test_four_measures_as_in_fy_2026(figures):
    one = {key[2:]: value for key, value in figures.items() if key[:2] == ("FY2026", "015009")}
    measures = ("snfrm", "snf hai", "total nursing staff turnover", "total nurse staffing")
    parts = ("baseline", "performance", "achievement_score", "improvement_score", "measure_score")
    assert one.keys() == {(m, p) for m in measures for p in parts} | {
        ("programme", p) for p in ("performance_score", "ranking", "multiplier")
    }
    assert one["total nurse staffing", "performance"] == (Decimal("4.27655"), "FY2024", None)
    assert one["total nurse staffing", "improvement_score"] == (None, None, None)
    assert one["snf hai", "measure_score"] == (Decimal("8.5"), None, None)


def test_a_measure_of_years_to_come_is_there_and_what_is_none_is_told(lake, figures):
    assert {key[2:]: value for key, value in figures.items() if key[:2] == ("FY2031", "01A193")} == {
        ("dental care", "baseline"): (None, "FY2027", "Too few residents"),
        ("dental care", "performance"): (Decimal("0.75"), "FY2029", None),
        ("dental care", "achievement_score"): (Decimal("9.5"), None, None),
        ("dental care", "measure_score"): (Decimal("9.5"), None, None),
        ("programme", "ranking"): (Decimal(1), None, None),
        ("programme", "performance_score"): (None, None, None),
        ("programme", "multiplier"): (Decimal("1.01"), None, None),
    }
    unknown = {d.manifest.coverage.key: d.manifest.extras for d in lake.zone.deliveries("snf_vbp_facility")}
    assert unknown == {"FY2024": (), "FY2025": (), "FY2026": (), "FY2031": ("Colour of the Door",)}


def test_decimal_commas_are_read(figures):
    of = {
        year: {key[1:]: value[0] for key, value in figures.items() if key[0] == year} for year in ("FY2024", "FY2025")
    }
    assert of["FY2024"] == of["FY2025"]
    assert len(of["FY2025"]) == 7 * 4


def test_the_nation(lake):
    found = {
        (row["fiscal_year"], row["measure"], row["component"]): [row[n] for n in ("value", "low", "high", "period")]
        for row in chain.rows(lake.lake, FCT_SNF_VBP_AGGREGATE)
    }
    programme = {(year, "programme"): {key[2]: v for key, v in found.items() if key[:2] == (year, "programme")}
                 for year in ("FY2024", "FY2031")}  # fmt: skip
    assert {key[1:]: v for key, v in found.items() if key[:2] == ("FY2024", "snfrm")} == {
        ("snfrm", "baseline"): [Decimal("0.19788"), None, None, "FY2019"],
        ("snfrm", "performance"): [Decimal("0.20223"), None, None, "FY2022"],
        ("snfrm", "achievement_threshold"): [Decimal("0.79271"), None, None, "FY2024"],
        ("snfrm", "benchmark"): [Decimal("0.83033"), None, None, "FY2024"],
    }
    assert programme["FY2024", "programme"] == {
        "performance_scores": [None, Decimal(0), Decimal(100), None],
        "facilities": [Decimal(10858), None, None, None],
        "multipliers": [None, Decimal("0.9802538758"), Decimal("1.0176785153"), None],
        "payments": [None] * 4,
        "total_payments": [None] * 4,
    }
    assert programme["FY2031", "programme"]["total_payments"] == [Decimal("512345678.90"), None, None, None]
    assert found["FY2031", "dental care", "achievement_threshold"] == [Decimal("0.4"), None, None, "FY2031"]
    (told,) = [
        row["as_published"]
        for row in chain.rows(lake.lake, FCT_SNF_VBP_AGGREGATE)
        if (row["fiscal_year"], row["component"]) == ("FY2024", "total_payments")
    ]
    assert told == "To be added after the end of FY 2024"


@pytest.mark.golden
def test_every_facility_of_fy_2024(real_data, workspace):
    w, path = workspace(), real_data / "drop" / "FY_2024_SNF_VBP_Facility_Performance.csv"
    chain.land(w, path)
    chain.whole(w)
    assert chain.rows(w.lake, REJECTS) == []
    rows = chain.rows(w.lake, FCT_SNF_VBP)
    told = list(csv.DictReader(io.StringIO(path.read_text())))
    assert len(told) == len({row["provider_id"] for row in rows}) == 10_858
    assert len(rows) == 7 * 10_858
    cells = {
        "achievement_score": "Achievement Score",
        "improvement_score": "Improvement Score",
        "multiplier": "Incentive Payment Multiplier",
        "ranking": "SNF VBP Program Ranking",
    }
    for component, cell in cells.items():
        ours = [row["value"] for row in rows if row["component"] == component and row["value"] is not None]
        theirs = [Decimal(line[cell]) for line in told if line[cell] not in ("", "---")]
        assert (len(ours), sum(ours)) == (len(theirs), sum(theirs))
    # What has no figure has a footnote that says why.
    assert [row for row in rows if row["value"] is None and row["footnote"] is None] == []
