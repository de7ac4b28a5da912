"""Every real file of CMS at hand, from raw to silver: no line is lost, and every refused one is known and explained."""

from __future__ import annotations

import csv
import io
import zipfile
from collections import Counter

import pytest

from nh_pipeline import datasets
from nh_pipeline.landing.confirmations import confirm
from nh_pipeline.model.kinds import Scd2
from nh_pipeline.model.table import REJECTS
from nh_pipeline.pipeline.deliveries import look
from nh_pipeline_tests.support import chain

pytestmark = [pytest.mark.golden, pytest.mark.integration]

LEFT_OUT = {
    "PBJ_Daily_Nurse_Staffing_Q2_2024.zip": "a quarter of the nation, which the tests of the whole chain build",
    "PBJ_Daily_Nurse_Staffing_CY_2017Q2.csv": "a header that CMS never had; the tests of the chain have the real one",
}
REFUSED = {
    "drop": {("fct_penalties", 'payment_denial_days: expected a whole number, found "-526"'): 1},  # as CMS published it
    "excerpts": {},
}


def files(folder):
    return [path for path in sorted(folder.iterdir()) if path.suffix in (".csv", ".zip") and path.name not in LEFT_OUT]


def lines_in(path):
    """Lines of a file after its header, counted by nothing of ours; blank ones do not count."""
    content = path.read_bytes()
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            (name,) = archive.namelist()
            content = archive.read(name)
    return sum(1 for cells in csv.reader(io.StringIO(content.decode("latin-1"), newline="")) if any(cells)) - 1


@pytest.fixture(scope="module", params=["drop", "excerpts"])
def loaded(request, engine, real_data, tmp_path_factory):
    """A lake of all files of a folder, silver built, and that folder. An excerpt counts though it lacks most homes."""
    workspace = chain.workspace_at(tmp_path_factory.mktemp(request.param), engine)
    folder = real_data / request.param
    chain.land(workspace, *files(folder))
    for delivery in workspace.zone.deliveries():
        confirm(workspace.lake.storage, delivery, reason="a test")
    chain.whole(workspace, lambda stale: stale.table.database != "gold")
    return workspace, folder


@pytest.fixture(scope="module")
def refused(loaded):
    return chain.rows(loaded[0].lake, REJECTS)


def test_each_file_is_recognised_and_counts(loaded):
    workspace, folder = loaded
    landed = {d.manifest.name: d.manifest.records for d in workspace.zone.deliveries()}
    assert landed == {path.name: lines_in(path) for path in files(folder)}
    found = [s for d in datasets.with_tables() for s in look(workspace.lake, workspace.zone, d).statuses]
    # Of a file without a date the last one is the table.
    counts = [s for s in found if s.state == "effective" or (s.state, s.coverage) == ("superseded", "undated")]
    assert [(s.name, s.state, s.reason) for s in found if s not in counts] == []


def test_every_line_is_a_row_or_a_known_reject(loaded, refused):
    workspace, folder = loaded
    found = Counter((row["stage"], row["reason"]) for row in refused)
    print(*(f"{count} {stage}: {reason}" for (stage, reason), count in found.most_common()), sep="\n")  # noqa: T201
    assert found == REFUSED[folder.name]
    for dataset in datasets.with_tables():
        effective = look(workspace.lake, workspace.zone, dataset).effective
        covered = {d.delivery_id: d.manifest for d in workspace.zone.deliveries(dataset.name)
                   if d.delivery_id in effective}  # fmt: skip
        for table in dataset.silver if covered else ():
            out = Counter(r["delivery_id"] for r in refused if r["stage"] in ("parse", table.short))
            told = {m.coverage.key: m.records - out[i] for i, m in covered.items()}
            if isinstance(table.kind, Scd2):
                versions = chain.rows(workspace.lake, table)
                # A line whose values are refused says all the same that its home is there.
                lasting = {key: _holding(versions, key) for key in told}
                assert lasting == {m.coverage.key: m.records for m in covered.values()}, table.name
            elif getattr(table.kind, "reshapes", False):
                assert workspace.lake.snapshot(table).rows > 0
            else:
                assert workspace.lake.snapshot(table).rows == sum(told.values()), table.name


def _holding(versions, release):
    """How many versions hold on the day of a release."""
    return sum(f"{v['valid_from']}" <= release and (v["valid_to"] is None or f"{v['valid_to']}" > release)
               for v in versions)  # fmt: skip


def test_a_citation_is_one_line_and_bears_several_marks(loaded):
    workspace, folder = loaded
    rows = chain.rows(workspace.lake, datasets.dataset("health_citations")["fct_health_citations"])
    assert {row["nth"] for row in rows} == {1}
    assert {row["scope_severity"] for row in rows} <= set("BCDEFGHIJKL")  # A never occurs
    both = sum(bool(row["standard_deficiency"] and row["complaint_deficiency"]) for row in rows)
    assert both == {"drop": 0, "excerpts": 3}[folder.name]  # the large file does not tell which are standard
