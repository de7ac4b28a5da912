"""What becomes known of organizations, and which encounters are built anew for it: raw to silver."""

from __future__ import annotations

import pytest

from nh_pipeline.datasets.clinical.export import RESOURCE
from nh_pipeline.datasets.clinical.people import CCN_SYSTEM
from nh_pipeline.datasets.facility_map import DIM_FACILITY_MAP, FACILITY_MAP
from nh_pipeline.marts.clinical.fct_encounters import FCT_ENCOUNTERS
from nh_pipeline.model.mart import Mart
from nh_pipeline.pipeline.plan import parts, plan
from nh_pipeline_tests.support import chain, fhir

pytestmark = [pytest.mark.integration, pytest.mark.every_mart]

HOME = fhir.organization("home", identifier=[{"system": CCN_SYSTEM, "value": "175545"}])
STAYS = [
    fhir.encounter(f"at {name}", "p", serviceProvider={"reference": f"Organization/{name}"})
    for name in ("home", "renamed home")
]


def made_of(table):
    inputs = table.kind.inputs if isinstance(table.kind, Mart) else ()
    return {table.name}.union(*map(made_of, inputs))


def test_encounters_are_built_anew_for_a_new_facility_alone(workspace, tmp_path):
    nh, wanted = workspace(), made_of(FCT_ENCOUNTERS) | {RESOURCE.name, FACILITY_MAP.bronze.name}

    def built(name, content):
        """The tables that a delivery makes stale in the end, and where encounters are then."""
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.csv").write_bytes(content)
        chain.land(nh, tmp_path / name)
        chain.whole(nh, lambda stale: stale.table.name in wanted - {FCT_ENCOUNTERS.name})
        stale = {s.table.name for part in parts() for s in plan(nh.lake, nh.zone).part(part)} & wanted
        chain.whole(nh, lambda stale: stale.table.name in wanted)
        return stale, {row["encounter_id"]: row["facility_ccn"] for row in chain.rows(nh.lake, FCT_ENCOUNTERS)}

    before = {"at home": "175545", "at renamed home": None}
    people = [fhir.patient("p"), HOME, fhir.organization("renamed home", "Renamed"), *STAYS]
    assert built("first", fhir.ndjson(people)) == ({FCT_ENCOUNTERS.name}, before)
    assert built("hospital", fhir.ndjson([fhir.organization("new", "New")])) == (set(), before)
    after = before | {"at renamed home": "175373"}
    assert built("map", b"organization_id,ccn\nrenamed home,175373\n") == ({FCT_ENCOUNTERS.name}, after)
    assert [row["organization_id"] for row in chain.rows(nh.lake, DIM_FACILITY_MAP)] == ["renamed home"]
