"""One clinical lake on every engine, and on S3: from the same exports, Sail, the JVM and Glue's jobs build the same."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from nh_pipeline.datasets.clinical import FHIR_EXPORT
from nh_pipeline.domains import VARIABLE
from nh_pipeline.engines.spark import _bundled_java
from nh_pipeline.lake.lake import Lake
from nh_pipeline.marts import clinical
from nh_pipeline.marts.clinical.dim_patients import DIM_PATIENTS
from nh_pipeline.marts.clinical.directory import DIRECTORY
from nh_pipeline.marts.clinical.id_conflicts import ID_CONFLICTS
from nh_pipeline.sample import Deliveries
from nh_pipeline.sample.clinical import write_clinical
from nh_pipeline.tables import domains_of
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.aws_server import signed_in
from nh_pipeline_tests.support.glue_service import GlueService
from nh_pipeline_tests.support.jvm import QUICK, built
from nh_pipeline_tests.support.through_glue import through_glue

pytestmark = [
    pytest.mark.integration,
    pytest.mark.every_mart,
    pytest.mark.timeout(2700),
    # Dagster's own Pipes asks for it.
    pytest.mark.filterwarnings("ignore:AssetExecutionContext.run_id is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*expected_writer_count:dagster.PreviewWarning"),
]

SOME = (*FHIR_EXPORT.tables, ID_CONFLICTS, DIRECTORY, DIM_PATIENTS)
"""Made elsewhere, too, where the Spark is one of those that make all: bronze, marts as a whole and one by buckets."""

READ_BACK = (*FHIR_EXPORT.tables[:2], FHIR_EXPORT.tables[-2], ID_CONFLICTS, DIRECTORY, DIM_PATIENTS)
"""Of those, the ones that are read from S3: a file for each delivery and bucket takes its time there."""

TABLES = (*FHIR_EXPORT.tables, *(mart.table for mart in clinical.MARTS if domains_of(mart.table) == {"clinical"}))

EMPTY = {"clinical_silver.unresolved_references"}
"""The second export brings what the first one lacks."""


def some(stale):
    return stale.table in SOME


@pytest.fixture(scope="module")
def lakes(engine, tmp_path_factory, aws_server):
    """All of Sail and, in a process beside it, all of the JVM; some of Glue's jobs, and some on S3."""
    drop, sail, jvm, jobs, of_jobs = (tmp_path_factory.mktemp(n) for n in ("drop", "sail", "jvm", "jobs", "glue"))
    write_clinical(drop, cms=Deliveries(quarters=("2024Q1",)), patients=34, homes=2, zipped=True)
    with ThreadPoolExecutor(1) as pool, pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, "clinical")
        beside = pool.submit(built, jvm, drop)
        workspace = chain.workspace_at(sail, engine)
        chain.land(workspace, drop)
        chain.whole(workspace)
        with signed_in(aws_server) as aws:
            on_s3 = chain.workspace_at(aws.home, engine)
            chain.land(on_s3, drop)
            chain.whole(on_s3, some)
            stored = {table.name: chain.table(on_s3.lake, table) for table in READ_BACK}
            with GlueService(aws, jobs, {"JAVA_HOME": _bundled_java(), **QUICK}) as service:
                elsewhere = chain.workspace_at(of_jobs, None)
                chain.land(elsewhere, drop)
                assert through_glue(elsewhere, service, patch, some) == [2, 1, 1, 1]
        beside.result()
        found = {"jvm": Lake(str(jvm)), "glue": elsewhere.lake}
        yield workspace.lake, found, stored


@pytest.mark.parametrize(
    ("contract", "other"),
    [(table, other) for other, those in {"jvm": TABLES, "glue": SOME, "s3": READ_BACK}.items() for table in those],
    ids=lambda value: getattr(value, "name", value),
)
def test_every_table_is_the_same(lakes, contract, other):
    sail, others, stored = lakes
    expected = chain.table(sail, contract)
    found = stored[contract.name] if other == "s3" else chain.table(others[other], contract)
    assert (expected.num_rows > 0) == (contract.name not in EMPTY)
    assert found.num_rows == expected.num_rows
    assert [c for c in contract.names if not found[c].equals(expected[c])] == []
    assert found.equals(expected)


def test_every_file_is_as_its_table_declares(lakes):
    sail, others, _ = lakes
    for lake in (sail, *others.values()):
        assert chain.without_ids(lake) == chain.unsorted(lake) == []
