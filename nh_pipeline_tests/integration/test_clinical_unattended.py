"""Unattended: FHIR exports are dropped, and the sensors' runs bring them to clinical gold; without a daemon."""

from __future__ import annotations

from collections import Counter

import dagster as dg
import pytest

from nh_pipeline import marts, tables
from nh_pipeline.datasets.clinical.export import DELETION
from nh_pipeline.domains import VARIABLE
from nh_pipeline.lake.lake import Lake
from nh_pipeline.landing.zone import RawZone
from nh_pipeline.marts.clinical import (
    dim_patients,
    directory,
    fct_conditions,
    fct_encounters,
    horizon,
    id_conflicts,
    readmissions,
)
from nh_pipeline.orchestration.definitions import build_defs
from nh_pipeline.sample import Deliveries
from nh_pipeline.sample.clinical import Rate, write_clinical
from nh_pipeline.sample.clinical.stories import STORIES
from nh_pipeline.settings import Settings
from nh_pipeline_tests.support import chain

pytestmark = [pytest.mark.integration, pytest.mark.at_length]

FEW = tuple(
    module.MART
    for module in (id_conflicts, directory, dim_patients, fct_conditions, fct_encounters, readmissions, horizon)
)
ONE_AFTER_ANOTHER = ["fhir_export_delivery", "clinical"]
PLAN = {"cms": Deliveries(quarters=("2024Q1",)), "patients": len(STORIES), "homes": 2}


class Unattended:
    """A lake with its delivery folder, and what the daemon would do: look, run what is asked for, look again."""

    def __init__(self, home, instance):
        self.lake, self.drop, self.instance, self.cursors = Lake(str(home)), home / "drop", instance, {}
        self.defs = build_defs(Settings(home=str(home)))
        self.repository = self.defs.get_repository_def()

    def look(self, sensor):
        """The runs that a sensor asks for now."""
        with dg.build_sensor_context(
            self.instance,
            repository_def=self.repository,
            resources=dict(self.defs.resources or {}),
            cursor=self.cursors.get(sensor),
        ) as context:
            found = self.repository.get_sensor_def(sensor).evaluate_tick(context)
        self.cursors[sensor] = found.cursor
        return found.run_requests or []

    def run(self, request):
        job = self.defs.resolve_job_def(request.job_name)
        return job.execute_in_process(
            instance=self.instance,
            run_config=request.run_config,
            tags={**request.tags, "dagster/run_key": request.run_key},
            asset_selection=request.asset_selection,
        )

    def settle(self):
        """Runs all that the sensors ask for, until neither asks for anything twice; which jobs these were."""
        jobs, idle = [], 0
        while idle < 2:  # the catch-up acts on what it sees for the second time
            requests = [*self.look("drive_sensor"), *self.look("catch_up")]
            jobs += [request.job_name for request in requests if self.run(request).success]
            idle = 0 if requests else idle + 1
        return jobs

    def rows(self, module):
        return chain.rows(self.lake, module.MART.table)

    def rate(self):
        """Readmissions of what has been followed up."""
        horizons = {row["delivery_id"]: row["horizon"] for row in self.rows(horizon)}
        stays = (row for row in self.rows(readmissions) if row["followed_up_on"])
        followed = (row for row in stays if row["followed_up_on"] <= horizons[row["delivery_id"]])
        return sum((Rate(row["is_index"], row["is_readmitted_30d"]) for row in followed), Rate())

    def is_as_told(self, truth):
        assert len(self.rows(dim_patients)) == truth.patients
        assert Counter(row["encounter_kind"] for row in self.rows(fct_encounters)) == truth.encounters
        assert self.rate() == truth.crude


@pytest.fixture
def unattended(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "clinical")
    monkeypatch.setattr(marts, "MARTS", FEW)
    monkeypatch.setattr(tables, "QUALITIES", ())
    with dg.DagsterInstance.ephemeral() as instance:
        yield Unattended(tmp_path, instance)


def test_dropped_exports_reach_gold_by_themselves_and_once(unattended):
    first = write_clinical(unattended.drop, **PLAN, exports=(1,), zipped=True)
    assert unattended.settle() == ["land_only", *ONE_AFTER_ANOTHER]
    unattended.is_as_told(first)
    # Corrections and deletions follow, as loose files: late versions, a patient who is erased; and the export's log.
    second = write_clinical(unattended.drop, **PLAN, exports=(2,))
    files = len(list(unattended.drop.glob("*/*.ndjson")))
    assert unattended.settle() == [*["land_only"] * files, *ONE_AFTER_ANOTHER]
    assert len(RawZone(unattended.lake.storage).deliveries("fhir_export_log")) == 1
    assert RawZone(unattended.lake.storage).quarantined() == []
    assert len(chain.rows(unattended.lake, DELETION)) == second.deleted
    assert second.patients < first.patients
    assert second.encounters != first.encounters
    unattended.is_as_told(second)
    assert unattended.settle() == []
    statuses = {run.status for run in unattended.instance.get_runs()}
    assert statuses == {dg.DagsterRunStatus.SUCCESS}
