"""A chain's clinical tables: the truth of its patients, however and in whatever order they were delivered."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

from nh_pipeline.datasets.clinical import FHIR_EXPORT
from nh_pipeline.domains import VARIABLE
from nh_pipeline.landing.manifest import Quarantined
from nh_pipeline.marts.clinical.fct_claims import FCT_CLAIMS
from nh_pipeline.model.mart import Mart
from nh_pipeline.pipeline.exports import facts_of
from nh_pipeline.queries.duck import connect
from nh_pipeline.sample import Deliveries
from nh_pipeline.sample.clinical import ClinicalTruth, EdTruth, HomeTruth, PayerTruth, Rate, write_clinical
from nh_pipeline.sample.clinical.stories import STORIES
from nh_pipeline.sources import FolderSource
from nh_pipeline.tables import gold
from nh_pipeline_tests.support import chain

pytestmark = [pytest.mark.integration, pytest.mark.every_mart]

PLACES = ("Organization", "Location", "Practitioner", "PractitionerRole")
OF_DELIVERIES = {"delivery_id", "dt", "n_versions", "version_at", "version_id"}
"""Columns that tell what a row came with; also its time, if the source gave none."""


@pytest.fixture(scope="module", autouse=True)
def alone():
    """Without the public domain."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, "clinical")
        yield


def written(folder, form, **more):
    cms = Deliveries(quarters=("2024Q1",))
    return write_clinical(folder, cms=cms, patients=len(STORIES), homes=2, form=form, **more)


def build(workspace):
    """All that is stale but the table of quality, which tells of deliveries."""
    chain.whole(workspace, lambda stale: stale.part == 0 or isinstance(stale.table.kind, Mart))


def land(workspace, folder, wanted=lambda _: True):
    """Lands what is wanted of a folder, the last first; returns how many were no deliveries."""
    source = FolderSource(folder)
    files = sorted((f for f in source.changes().files if wanted(f)), key=lambda f: f.name, reverse=True)
    return sum(isinstance(workspace.zone.land(source, file).document, Quarantined) for file in files)


@pytest.fixture(scope="module")
def lines(engine, tmp_path_factory):
    """Archives of lines, one after the other: what was found and what is true after each, and the lake after both."""
    folder, told = tmp_path_factory.mktemp("lines"), []
    workspace = chain.workspace_at(folder / "lake", engine)
    for exports in ((1,), (1, 2)):
        truth = written(folder / "drop", "ndjson", zipped=True, exports=exports)
        quarantined = land(workspace, folder / "drop")
        build(workspace)
        told.append((found(workspace, len(exports), quarantined), truth))
    return told, workspace.lake


@pytest.fixture(scope="module")
def bundles(engine, tmp_path_factory):
    """Archives of Bundles, and beside them what is none, the second export before the first."""
    folder = tmp_path_factory.mktemp("bundles")
    workspace = chain.workspace_at(folder / "lake", engine)
    truth = written(folder / "drop", "bundles", zipped=True)
    quarantined = land(workspace, folder / "drop")
    build(workspace)
    return [(found(workspace, 2, quarantined), truth)], workspace.lake


@pytest.fixture(scope="module")
def parts(engine, tmp_path_factory):
    """A delivery for each file, the last export first; one comes in two, which overlap; clinicians and places last."""
    folder = tmp_path_factory.mktemp("parts")
    workspace = chain.workspace_at(folder / "lake", engine)
    written(folder / "drop", "ndjson")
    for whole in (folder / "drop").glob("dt=*/Encounter.*"):
        cut, when = whole.read_bytes().splitlines(keepends=True), whole.stat().st_mtime
        for name, content in (("b", cut[: len(cut) // 2 + 3]), ("a", cut[len(cut) // 2 :])):
            piece = whole.with_name(f"Encounter.{name}.ndjson")
            piece.write_bytes(b"".join(content))
            os.utime(piece, (when, when))
        whole.unlink()

    def of_places(file):
        return Path(file.name).name.startswith(PLACES)

    for wanted in (lambda file: not of_places(file), of_places):
        assert land(workspace, folder / "drop", wanted) == 0
        build(workspace)
    return workspace.lake


def found(workspace, exports, quarantined):
    """What the tables come to."""
    db = connect(workspace.lake)

    def one(sql):
        return db.execute(f"select {sql}").fetchone()

    def grouped(sql):
        return {row[0]: row[1] for row in db.execute(f"select {sql} group by all").fetchall()}

    followed = "filter (is_index and followed_up_on <= horizon)"
    unplanned = "filter (is_unplanned_index and followed_up_on <= horizon)"
    crude_sums = f"count(*) {followed}, count_if(is_readmitted_30d) {followed}"
    unplanned_sums = f"count(*) {unplanned}, count_if(is_unplanned_readmitted_30d) {unplanned}"
    rates = one(
        f"{crude_sums}, {unplanned_sums} from clinical_gold.readmissions join clinical_gold.horizon using (delivery_id)"
    )
    emergencies = """count(*), count_if(is_index), count_if(is_revisited_72h), count_if(is_revisited_30d)
        from clinical_gold.ed_visits"""
    homes = """select provider_id, cast(month_start as text), snf_admissions, rehospitalized_30d, ed_30d
        from clinical_gold.snf_months where snf_admissions > 0"""
    patients, deceased = one("count(*), count_if(is_deceased) from clinical_silver.dim_patients")
    observations, values = one("count(distinct observation_id), count(*) from clinical_silver.fct_observation_values")
    kinds = grouped("encounter_kind, count(*) from clinical_silver.fct_encounters")
    days = grouped("encounter_kind, coalesce(sum(length_of_stay), 0) from clinical_silver.fct_encounters")
    versions = "clinical_bronze.resource group by resource_type, resource_id"
    return ClinicalTruth(
        exports=exports,
        patients=patients,
        deceased=deceased,
        encounters=Counter(kinds),
        length_of_stay=Counter(days),
        crude=Rate(*rates[:2]),
        unplanned=Rate(*rates[2:]),
        homes=defaultdict(HomeTruth, {tuple(row[:2]): HomeTruth(*row[2:]) for row in db.execute(homes).fetchall()}),
        ed=EdTruth(*one(emergencies)),
        claims=claims(workspace.lake),
        observations=observations,
        observation_values=values,
        conditions=one("count(*) from clinical_silver.fct_conditions")[0],
        procedures=one("count(*) from clinical_silver.fct_procedures")[0],
        cohorts=Counter(grouped("cohort, count(distinct patient_id) from clinical_gold.cohort_encounters")),
        superseded=one(f"sum(n - 1) from (select count(distinct version_at) as n from {versions})")[0],
        deleted=one("count(*) from clinical_bronze.deletion")[0],
        entered_in_error=one("count_if(status = 'entered-in-error') from clinical_bronze.encounter")[0]
        + one("count_if(verification_status = 'entered-in-error') from clinical_bronze.condition")[0],
        duplicates_identical=sum(facts_of(each).duplicates for each in workspace.zone.deliveries(FHIR_EXPORT.name)),
        duplicates_conflicting=one(f"count(*) from (select 1 from {versions}, delivery_id having count(*) > 1)")[0],
        rejected=one("count(*) from clinical_bronze.rejects")[0],
        quarantined=quarantined,
        unresolved_references=one("count(*) from clinical_silver.unresolved_references")[0],
    )


def claims(lake):
    """Claims by category of payer."""
    sums: defaultdict[str, PayerTruth] = defaultdict(PayerTruth)
    for row in chain.rows(lake, FCT_CLAIMS):
        state, decided = row["adjudication"], row["adjudication"] != "unadjudicated"
        denied = state == "denied" or (row["is_overturned"] is not None and state != "partly_denied")
        sums[row["payer_category"]] += PayerTruth(
            claims=1,
            billed=row["billed_amount"],
            adjudicated=int(decided),
            billed_adjudicated=row["billed_amount"] if decided else Decimal(0),
            paid=row["paid_amount"] or Decimal(0),
            zero_paid=int(state == "zero_paid"),
            partly_denied=int(state == "partly_denied"),
            denied=int(state == "denied"),
            denied_amount=row["denied_amount"] or Decimal(0),
            ever_denied=int(denied),
            overturned=int(row["is_overturned"] or False),
        )
    return sums


def differing(made):
    """What is found and what is true, where they are not the same."""
    return [(name, of, vars(truth)[name]) for of_tables, truth in made for name, of in vars(of_tables).items()
            if of != vars(truth)[name]]  # fmt: skip


def test_tables_are_the_truth_after_each_export(lines):
    made, _ = lines
    assert differing(made) == []
    (_, first), (_, second) = made
    assert second.superseded > first.superseded == 0
    assert second.crude != first.crude


def test_tables_of_bundles_are_the_truth(bundles):
    made, _ = bundles
    assert differing(made) == []


def test_claims_that_were_denied_are_those_of_the_story(lines):
    made, lake = lines
    ((whole,),) = connect(lake).execute("select count_if(not is_partial) from clinical_gold.claim_denials").fetchall()
    assert whole == made[-1][1].all_claims.ever_denied > 0


def content(lake, table):
    """Rows but for what they came with."""
    return {tuple((n, v) for n, v in row.items() if n not in OF_DELIVERIES) for row in chain.rows(lake, table)}


def test_however_they_come_the_tables_are_the_same(lines, bundles, parts):
    _, expected = lines
    for table in gold():
        once = content(expected, table)
        assert once or table.short == "unresolved_references"
        for lake in (bundles[1], parts):
            other = content(lake, table)
            told = (table.name, *sorted(map(str, once - other))[:3], "but", *sorted(map(str, other - once))[:3])
            assert other == once, told
