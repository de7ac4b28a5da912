"""Synthea's resources, as NDJSON of a bulk export and as a Bundle for each patient, to the last row of bronze."""

from __future__ import annotations

import io
import subprocess
import sys

import pyarrow as pa
import pytest

from nh_pipeline.datasets.clinical import VIEWS
from nh_pipeline.landing.fhir import Extraction
from nh_pipeline_tests.support.fhir_deliveries import ABOUT, survey, zipped_as

pytestmark = pytest.mark.golden


@pytest.fixture(scope="module")
def synthea(real_data):
    folder = real_data / "synthea"
    if not folder.is_dir():
        pytest.skip(f"no resources of Synthea in {folder}")
    return folder


@pytest.fixture(scope="module")
def bulk(synthea):
    """The bulk export of ten patients, its log included, as one archive."""
    files = sorted((synthea / "synthea_bulk" / "10-patients").iterdir())
    return zipped_as({path.name: path.read_bytes() for path in files})


def read(content):
    """Every table that a delivery becomes, by its short name, and the extraction."""
    extraction, batches = Extraction(ABOUT), {}
    for table, _, batch in extraction.batches(io.BytesIO(content)):
        batches.setdefault(table.short, []).append(batch)
    return {name: pa.Table.from_batches(some) for name, some in batches.items()}, extraction


@pytest.fixture(scope="module")
def bulk_tables(bulk):
    return read(bulk)[0]


@pytest.fixture(scope="module")
def bundles(synthea):
    return read((synthea / "synthea_r4_bundles.zip").read_bytes())


def rows(table, *columns):
    return list(zip(*(table.column(name).to_pylist() for name in columns), strict=True))


def test_the_log_beside_the_files_tells_when_they_were_exported(bulk):
    found = survey(bulk)
    assert (found.dt_source, found.exported_at.isoformat()) == ("transaction", "2024-08-06T18:12:57+00:00")
    assert (found.records, found.refused, found.duplicates, found.held) == (7160, 0, 0, "")


def test_every_conditional_reference_of_encounters_has_one_resource(bulk_tables):
    known = {}
    for of, system, value, of_id in rows(
        bulk_tables["identifier"], "resource_type", "system", "identifier_value", "resource_id"
    ):
        known.setdefault(f"{of}?identifier={system}|{value}", set()).add(of_id)
    for name in ("service_provider", "participant", "location"):
        asked = rows(bulk_tables["encounter"], f"{name}_ref", f"{name}_kind", f"{name}_id")
        assert len(asked) == 1215
        assert all(kind == "conditional" and of_id is None and len(known[ref]) == 1 for ref, kind, of_id in asked)


def test_every_encounter_has_its_patient(bulk_tables):
    patients = set(bulk_tables["patient"].column("resource_id").to_pylist())
    assert set(bulk_tables["encounter"].column("subject_id").to_pylist()) <= patients
    managed = set(bulk_tables["location"].column("managing_organization_kind").to_pylist())
    assert managed == {"logical", "none"}


def test_every_resource_of_the_bundles_is_a_row_once(bundles):
    tables, extraction = bundles
    assert extraction.resources.total() + extraction.duplicates.total() == 36_104
    # 200 entries of each: patients share their clinicians.
    assert extraction.duplicates == {"Organization": 130, "Practitioner": 130}
    told = {name: table.num_rows for name, table in tables.items()}
    assert (told["organization"], told["practitioner"], told["resource"]) == (70, 70, 35_844)
    assert (told["observation"], told["observation_value"]) == (17_154, 18_350)
    assert (told["claim"], told["explanation_of_benefit"], told["coverage"]) == (4124, 3320, 3320)
    assert "rejects" not in told


def test_every_reference_within_the_bundles_means_a_resource(bundles):
    tables, _ = bundles
    known = set(rows(tables["resource"], "resource_type", "resource_id"))
    known |= {("Coverage", of_id) for of_id in tables["coverage"].column("resource_id").to_pylist()}
    for view in (view for view in VIEWS if view.name in tables):
        for field in (field for field in view.fields if field.form == "reference"):
            for kind, of_id in set(rows(tables[view.name], f"{field.name}_kind", f"{field.name}_id")):
                assert kind in ("none", "display", "urn", "contained"), (view.name, field.name)
                if of_id or kind in ("urn", "contained"):
                    assert any((of, of_id) in known for of in field.to), (view.name, field.name)
    assert set(tables["explanation_of_benefit"].column("coverage_kind").to_pylist()) == {"contained"}
    assert set(tables["claim"].column("coverage_kind").to_pylist()) == {"display"}


def test_amounts_have_the_digits_of_the_files(bundles):
    paid = bundles[0]["explanation_of_benefit"].column("payment_amount").to_pylist()
    assert len(paid) == 3320
    assert sum(len(amount.partition(".")[2]) > 2 for amount in paid) == 1557


def test_memory_is_bounded(synthea):
    program = f"""
import sys
from datetime import datetime, timezone
from nh_pipeline.landing.about import About
from nh_pipeline.landing.fhir import Extraction
at = datetime(2024, 8, 6, tzinfo=timezone.utc)
about = About(delivery_id="x", name="x", dt=at.date(), exported_at=at, modified_at=at)
with open({str(synthea / "synthea_r4_bundles.zip")!r}, "rb") as stream:
    for _ in Extraction(about).batches(stream):
        pass
# Not ru_maxrss: that of the process that started this one counts there, too.
print(next(line.split()[1] for line in open("/proc/self/status") if "VmHWM" in line))
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=300)
    assert int(ran.stdout) < 500 << 10  # of 136 MB
