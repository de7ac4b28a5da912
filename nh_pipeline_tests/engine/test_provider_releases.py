"""What CMS reports of homes, states and chains, typed: lines of each file held against the text they come from."""

from __future__ import annotations

import csv
import os
import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from nh_pipeline.datasets.cms.chain_performance import FCT_CHAIN_PERFORMANCE
from nh_pipeline.datasets.cms.providers import FCT_PROVIDER_RELEASES, PROVIDERS
from nh_pipeline.datasets.cms.snf_enrollments import DIM_SNF_ENROLLMENTS
from nh_pipeline.datasets.cms.state_us_averages import FCT_STATE_AVERAGES, MEASURES, STATE_US_AVERAGES
from nh_pipeline.landing.confirmations import confirm
from nh_pipeline.model.table import REJECTS
from nh_pipeline_tests.support import chain

pytestmark = pytest.mark.integration

DATA = Path(__file__).resolve().parents[1] / "data"
OF_2017 = {
    "Federal Provider Number": "015010",
    "Provider Name": "COOSA VALLEY HEALTHCARE CENTER",
    "Provider State": "AL",
    "Number of Certified Beds": "57",
    "Number of Residents in Certified Beds": "51",
    "Special Focus Facility": "N",
    "Overall Rating": "5",
    "Health Inspection Rating": "5",
    "Staffing Rating": "4",
    "Cycle 1 Total Health Score": ".",
    "Total Amount of Fines in Dollars": "$6600",
    "Processing Date": "2017-03-01",
}


@pytest.fixture(scope="module")
def lake(engine, tmp_path_factory):
    """Excerpts of all eras, and a line as in 2017."""
    drop = tmp_path_factory.mktemp("drop")
    with (drop / "ProviderInfo_2017.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([OF_2017.keys(), OF_2017.values()])
    for nth, path in enumerate(sorted((DATA / "chain_performance").glob("*.csv"))):
        os.utime(shutil.copy(path, drop), (nth, nth))  # of undated files, the one that was changed last counts
    w = chain.workspace_at(tmp_path_factory.mktemp("lake"), engine)
    chain.land(w, drop, *(DATA / name for name in ("providers", "state_us_averages", "snf_enrollments")))
    for delivery in w.zone.deliveries():
        confirm(w.lake.storage, delivery, reason="a few lines of a release are given")
    chain.whole(w)
    assert chain.rows(w.lake, REJECTS) == []
    return w.lake


def test_a_home_in_each_release(lake):
    found = {
        f"{row['release']:%Y-%m}": row
        for row in chain.rows(lake, FCT_PROVIDER_RELEASES)
        if row["provider_id"] == "015010"
    }
    assert sorted(found) == [
        "2017-03", "2019-05", "2021-08", "2023-06", "2024-11", "2025-07", "2025-12", "2026-07",
    ]  # fmt: skip
    old = found["2017-03"]
    assert (old["residents_in_certified_beds"], old["total_fine_dollars"]) == (51, Decimal("6600.00"))
    assert old["cycle_1_total_score"] is None
    latest = found["2026-07"]
    assert {name: latest[name] for name in EXPECTED} == EXPECTED
    assert found["2019-05"]["case_mix_total_hprd"] == Decimal("2.98468")


EXPECTED = {
    "provider_id": "015010",
    "urban": "N",
    "average_residents_per_day": Decimal("80.1"),
    "date_first_approved": date(1967, 1, 1),
    "chain_facilities": 5,
    "chain_qm_rating": Decimal("2.4"),
    "overall_rating": 5,
    "reported_total_hprd": Decimal("4.27726"),
    "weekend_rn_hprd": Decimal("0.40857"),
    "total_nursing_turnover": Decimal("46.7"),
    "administrator_departures": 0,
    "case_mix_index_ratio": Decimal("0.93930"),
    "adjusted_weekend_total_hprd": Decimal("3.55868"),
    "cycle_1_survey_date": date(2022, 4, 9),
    "cycle_2_standard_deficiencies": 1,
    "cycle_2_3_total_score": Decimal(4),
    "cycle_3_total_score": None,
    "weighted_health_survey_score": Decimal("1.000"),
    "total_fine_dollars": Decimal(0),
    "latitude": Decimal("33.1637"),
    "longitude": Decimal("-86.254"),
}


def test_every_cell_of_the_excerpts_is_told_exactly(lake):
    """Each value of the typed rows is that of its cell: nothing is lost, and nothing is made up."""
    for dataset, table in ((PROVIDERS, FCT_PROVIDER_RELEASES), (STATE_US_AVERAGES, FCT_STATE_AVERAGES)):
        labels = {label.casefold(): c for c in dataset.columns for label in c.labels}
        rows = {(f"{row['release']}", row[dataset.key[0]]): row for row in chain.rows(lake, table)}
        for path in (DATA / dataset.name).glob("*.csv"):
            with path.open() as stream:
                for line in csv.DictReader(stream):
                    told = {labels[cell.casefold()].name: text.strip() for cell, text in line.items()}
                    row = rows[told.pop("processing_date"), told[dataset.key[0]]]
                    assert {n: as_text(row[n], t) for n, t in told.items()} == told


def as_text(value, told):
    """A value as its text writes it, if it is the same; CMS writes numbers with and without zeros at the end."""
    if value is None:
        return told if told in ("", ".") else None
    if isinstance(value, Decimal):
        return told if Decimal(told) == value else value
    return str(value)


def test_the_nation(lake):
    (row,) = [r for r in chain.rows(lake, FCT_STATE_AVERAGES) if r["state_or_nation"] == "NATION"]
    assert (row["reported_total_hprd"], row["case_mix_total_hprd"]) == (Decimal("3.83737"), Decimal("3.81602"))
    assert (row["fines"], row["fine_dollars"]) == (Decimal("1.7"), Decimal(37827))
    assert (row[MEASURES["419"]], row[MEASURES["521"]]) == (Decimal("14.685128"), Decimal("23.151112"))
    assert row["ls_pressure_ulcers"] is None  # 2025 on


def test_chains_of_the_last_file(lake):
    nation, first, _ = sorted(chain.rows(lake, FCT_CHAIN_PERFORMANCE), key=lambda row: row["chain_id"] or "")
    assert (nation["chain_name"], nation["chain_id"], nation["facilities"]) == ("National", None, 14_709)
    assert (nation["fine_dollars"], nation["average_fine_dollars"]) == (Decimal(459_063_375), Decimal("31226.68"))
    assert (first["chain_name"], first["abuse_icon_percent"]) == ("ABSOLUT CARE", Decimal(0))
    assert (first["preventable_readmissions"], first["staff_vaccinated"]) == (Decimal(11), None)


def test_enrolments(lake):
    rows = {row["enrollment_id"]: row for row in chain.rows(lake, DIM_SNF_ENROLLMENTS)}
    assert len(rows) == 5
    lettered = rows["O20020819000014"]
    assert (lettered["enrolled_ccn"], lettered["provider_id"]) == ("245381B", "245381")
    one = rows["O20020801000000"]
    assert (one["provider_id"], one["npi"], one["incorporation_date"]) == ("345500", "1346210291", date(1995, 7, 7))


@pytest.mark.golden
def test_no_real_line_of_provider_information_is_refused(real_data, workspace):
    w = workspace()
    drop, excerpts = real_data / "drop", real_data / "excerpts"
    paths = [*drop.glob("NH_ProviderInfo_*")]
    paths += (path for path in excerpts.glob("NH_ProviderInfo_*") if "Jul2025" not in path.name)  # of one in drop
    chain.land(w, *paths)
    for delivery in w.zone.deliveries():  # excerpts lack nearly all homes of the release before
        confirm(w.lake.storage, delivery, reason="an excerpt")
    chain.whole(w)
    assert chain.rows(w.lake, REJECTS) == []
    rows = chain.rows(w.lake, FCT_PROVIDER_RELEASES)
    assert len(rows) == sum(d.manifest.records for d in w.zone.deliveries("providers"))
    # What licensed nurses and all together report is the sum of what each job does.
    whole = [row for row in rows if row["reported_licensed_hprd"] is not None and f"{row['release']}" == "2021-08-01"]
    parts = [row["reported_rn_hprd"] + row["reported_lpn_hprd"] - row["reported_licensed_hprd"] for row in whole]
    assert len(parts) == 14_753
    assert max(map(abs, parts)) <= Decimal("0.00002")
