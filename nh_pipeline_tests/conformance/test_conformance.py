"""One result on every engine: Sail, the JVM and AWS Glue's jobs build equal lakes from the same deliveries."""

from __future__ import annotations

import hashlib
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nh_pipeline.engines.spark import _bundled_java
from nh_pipeline.lake.storage import Storage
from nh_pipeline.landing.selection import recognised
from nh_pipeline.marts.facility_measures import FACILITY_MEASURES
from nh_pipeline.model.mart import Mart
from nh_pipeline.model.table import REJECTS
from nh_pipeline.sample import Correction, Deliveries
from nh_pipeline.sources import FolderSource
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.aws_server import signed_in
from nh_pipeline_tests.support.declared import BRONZE
from nh_pipeline_tests.support.glue_service import GlueService
from nh_pipeline_tests.support.jvm import QUICK, built
from nh_pipeline_tests.support.text_values import TEXTS, read_all
from nh_pipeline_tests.support.through_glue import through_glue

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(2700),
    # Dagster's own Pipes asks for it.
    pytest.mark.filterwarnings("ignore:AssetExecutionContext.run_id is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*expected_writer_count:dagster.PreviewWarning"),
]

PLAN = Deliveries(30, ("2024Q1", "2024Q3"), releases=2, days=3, full_from=1)
"""Releases of July and August 2024, of which the days of the third quarter see the first; the second has all files."""

SENT = ("daily_nurse_staffing", "providers", "medicare_claims", "penalties")
"""Files that Glue's jobs build, too: they run on the same Spark as the JVM, which builds all."""

LINES = Path(__file__).resolve().parents[2] / "docs" / "staffing-lines.csv"

EMPTY = {
    "gold.kpi_surge",
    *("bronze.nppes_raw", "silver.dim_npi", "bronze.facility_map_raw", "silver.dim_facility_map"),
}
"""It needs the eight weeks before a day; the others are of files that are not generated."""


def broken(path, *changes):
    """Replaces cells and lines of a delivery; its modified time stays."""
    when, content = path.stat().st_mtime, path.read_bytes()
    lines = content.split(b"\n")
    for nth, change in changes:
        lines[nth] = change(lines[nth])
    path.write_bytes(b"\n".join(lines))
    os.utime(path, (when, when))


@pytest.fixture(scope="module")
def drop(tmp_path_factory):
    """Sample deliveries, some with lines that end in the rejects at either stage, and a correction that is held."""
    folder = tmp_path_factory.mktemp("drop")
    staffing = PLAN.staffing(folder, "2024Q3")
    PLAN.corrected(folder, "2024Q3", Correction(drop_facilities=3, changed_facilities=2))
    for number in range(PLAN.releases):
        PLAN.release(folder, number)
    broken(
        staffing,
        (3, lambda line: b"too,few,cells"),
        (5, lambda line: line.replace(b",20240702,", b',"20240702\n",')),
        (8, lambda line: line + b"\n" + line),
        (12, lambda line: line[: line.rindex(b",")] + b",1e3"),
        (17, lambda line: line.lower()),
        (16, lambda line: line.replace(b",20240701,", b",20240401,")),
    )
    providers = folder / "NH_ProviderInfo_Jul2024.csv"
    shutil.copy(LINES, folder)
    broken(providers, (2, lambda line: b"12-456" + line[line.index(b",") :]), (4, lambda line: line + b",surplus"))
    return folder


BROKEN = ("PBJ_Daily_Nurse_Staffing_Q3_2024.csv", "NH_ProviderInfo_Jul2024.csv")


def sent(table):
    """Whether a table is made of nothing but files that Glue's jobs build."""
    if isinstance(table.kind, Mart):
        return all(map(sent, table.kind.inputs))
    return not table.dataset or table.dataset in SENT


@pytest.fixture(scope="module")
def lakes(engine, drop, tmp_path_factory, aws_server):
    """The lake of Sail, built here; that of the JVM, built beside it in a process of its own; that of Glue's jobs."""
    sail, jvm, of_jobs, jobs = (tmp_path_factory.mktemp(name) for name in ("sail", "jvm", "glue", "jobs"))
    for root in (sail, jvm, of_jobs):  # a person takes the broken files: a few lines of so small ones are a large share
        for name in BROKEN:
            id_ = hashlib.md5((drop / name).read_bytes(), usedforsecurity=False).hexdigest()
            Storage(str(root)).write_json(f"state/confirmed/{id_}.json", {"reason": "a test"})
    with ThreadPoolExecutor(1) as pool:
        beside = pool.submit(built, jvm, drop)
        workspace = chain.workspace_at(sail, engine)
        chain.land(workspace, drop)
        chain.whole(workspace)
        with (
            signed_in(aws_server) as aws,
            GlueService(aws, jobs, {"JAVA_HOME": _bundled_java(), **QUICK}) as service,
            pytest.MonkeyPatch.context() as patch,
        ):
            elsewhere = chain.workspace_at(of_jobs, None)
            source = FolderSource(drop)
            for file in source.changes().files:
                if recognised(source, file).dataset in SENT:
                    elsewhere.zone.land(source, file)
            made = through_glue(elsewhere, service, patch)
            assert len(service.runs) == len(made) - 1  # the last part is built here
        told = beside.result()
    return workspace.lake, {"jvm": chain.Lake(str(jvm)), "glue": elsewhere.lake}, told


@pytest.mark.parametrize(
    ("contract", "other"),
    [(table, other) for table in chain.TABLES for other in ("jvm", "glue") if other == "jvm" or sent(table)],
    ids=lambda value: getattr(value, "name", value),
)
def test_every_table_is_the_same(lakes, contract, other):
    sail, others, _ = lakes
    expected, found = chain.table(sail, contract), chain.table(others[other], contract)
    assert (expected.num_rows > 0) == (contract.name not in EMPTY)
    assert found.num_rows == expected.num_rows
    different = [c for c in contract.names if not found[c].equals(expected[c])]
    told = [
        (c, a, b)
        for c in different
        for a, b in zip(expected[c].to_pylist(), found[c].to_pylist(), strict=True)
        if a != b
    ]
    assert told[:5] == []
    assert found.equals(expected)


def test_every_file_has_the_ids_of_its_table(lakes):
    sail, others, _ = lakes
    wrong = {engine: chain.without_ids(lake) for engine, lake in {"sail": sail, **others}.items()}
    assert wrong == {"sail": [], "jvm": [], "glue": []}


def test_every_file_is_sorted_as_its_table_declares(lakes):
    sail, others, _ = lakes
    wrong = {engine: chain.unsorted(lake) for engine, lake in {"sail": sail, **others}.items()}
    assert wrong == {"sail": [], "jvm": [], "glue": []}


def test_all_refused_the_same_lines(lakes):
    sail, _, _ = lakes
    rejects = [(r["dataset"], r["stage"], r["reason"].partition(" expected ")[0]) for r in chain.rows(sail, REJECTS)]
    assert sorted(rejects) == [
        ("daily_nurse_staffing", "fct_staffing_levels", "hrs_medaide_ctr:"),
        ("daily_nurse_staffing", "fct_staffing_levels", "provider_id, work_date:"),
        ("daily_nurse_staffing", "fct_staffing_levels", "work_date:"),
        ("daily_nurse_staffing", "fct_staffing_levels", "work_date:"),
        ("daily_nurse_staffing", "parse", "expected 33 cells as in the header, found 3"),
        ("providers", "dim_providers", "provider_id:"),
        ("providers", "fct_provider_releases", "provider_id:"),
        ("providers", "parse", "expected 103 cells as in the header, found 104"),
    ]
    assert sail.snapshot(FACILITY_MEASURES).rows == 30 * 3 - 4
    assert sail.snapshot(BRONZE["daily_nurse_staffing"]).rows == 90 + 27 * 3


def test_every_text_is_read_the_same(lakes, engine):
    _, _, printed = lakes
    assert printed.splitlines() == [ascii(row) for row in read_all(engine)]
    assert len(printed.splitlines()) == len(TEXTS)
