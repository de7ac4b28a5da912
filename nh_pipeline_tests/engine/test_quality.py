"""``gold.data_quality``: what it says of hand-made deliveries, and that it says the same after whatever happens."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from nh_pipeline.datasets.cms.medicare_claims import MEDICARE_CLAIMS
from nh_pipeline.datasets.cms.penalties import PENALTIES
from nh_pipeline.lake.refusals import Refusals
from nh_pipeline.model.quality import DATA_QUALITY
from nh_pipeline.pipeline.build_state import forget
from nh_pipeline.pipeline.checked import Checks
from nh_pipeline.pipeline.context import RunInfo
from nh_pipeline.pipeline.per_release import BuildRelease
from nh_pipeline.pipeline.plan import plan
from nh_pipeline_tests.support import chain

pytestmark = pytest.mark.integration

DATA = Path(__file__).resolve().parents[1] / "data"
FINES = PENALTIES["fct_penalties"]


def write(drop: Path) -> None:
    """Penalties: a release, its copy in another order, one with a bad line, one with a line thrice; and claims."""
    header, *lines = (DATA / "penalties" / "2024-10.csv").read_text().splitlines()
    bad = [line.replace("Fine,", "Fine,about ", 1) if i == 0 else line for i, line in enumerate(lines)]
    releases = {
        "2024-07-01": lines,
        "2024-09-01": lines[::-1],
        "2024-10-01": bad,
        "2024-11-01": [*lines, lines[0], lines[0]],
    }
    for release, found in releases.items():
        text = "\n".join([header, *found, ""]).replace("2024-10-01", release)
        (drop / f"{release}.csv").write_text(text)
    header, *lines = (DATA / "medicare_claims" / "2024-10.csv").read_text().splitlines()
    (drop / "claims.csv").write_text("\n".join([header, *lines, lines[0], ""]))


@pytest.fixture(scope="module")
def finished(engine, tmp_path_factory):
    drop = tmp_path_factory.mktemp("drop")
    write(drop)
    workspace = chain.workspace_at(tmp_path_factory.mktemp("lake"), engine)
    chain.land(workspace, drop)
    chain.whole(workspace)
    return workspace


@pytest.fixture
def copied(finished, tmp_path):
    chain.copied(finished.lake.root, tmp_path)
    return chain.workspace_at(tmp_path, finished.spark)


def told(workspace, table, measure):
    """Per part (releases instead of deliveries) and subject: found, of how many, passed, day."""
    return {
        (row["coverage"] if table.database == "bronze" else row["part"], row["subject"]): tuple(
            row[name] for name in ("found", "of_rows", "passed", "day")
        )
        for row in chain.rows(workspace.lake, DATA_QUALITY)
        if (row["table_name"], row["measure"]) == (table.name, measure)
    }


def stale(workspace):
    return [build.table.name for build in plan(workspace.lake, workspace.zone).builds]


def test_lines_in_and_out_and_why_some_are_refused(finished):
    assert told(finished, PENALTIES.bronze, "rows_in")["2024-11-01", ""][0] == 9
    assert told(finished, PENALTIES.bronze, "refused") == {("2024-10-01", "fine_amount"): (1, 7, None, None)}
    assert told(finished, FINES, "refused") == {("2024-10-01", "fine_amount"): (1, 7, None, None)}
    assert told(finished, FINES, "rows_in")["2024-10-01", ""][0] == 7
    assert {part: found[0] for (part, _), found in told(finished, FINES, "rows_out").items()} == {
        "2024-07-01": 7, "2024-09-01": 7, "2024-10-01": 6, "2024-11-01": 9
    }  # fmt: skip
    assert told(finished, FINES, "check")["2024-10-01", "row_accounting"] == (0, 7, True, None)


def test_nulls_are_those_of_the_rows(finished):
    rows = [row for row in chain.rows(finished.lake, FINES) if row["release"] == date(2024, 7, 1)]
    nulls = {name: sum(row[name] is None for row in rows) for name in FINES.names}
    found = {
        subject: found[:2] for (part, subject), found in told(finished, FINES, "nulls").items() if part == "2024-07-01"
    }
    assert found == {name: (count, len(rows)) for name, count in nulls.items() if count}
    assert found


def test_a_release_that_is_a_copy_of_the_one_before_is_stale_since_then(finished):
    first = date(2024, 7, 1)
    assert {part: found[2:] for (part, _), found in told(finished, PENALTIES.bronze, "unchanged_since").items()} == {
        "2024-07-01": (True, first),
        "2024-09-01": (False, first),
        "2024-10-01": (True, date(2024, 10, 1)),
        "2024-11-01": (True, date(2024, 11, 1)),
    }
    rows = (row for row in chain.rows(finished.lake, DATA_QUALITY) if row["measure"] == "unchanged_since")
    assert [row["told"] for row in rows if not row["passed"]] == [
        "the content of this release equals that of the release before; stale since 2024-07-01"
    ]
    assert told(finished, FINES, "unchanged_since") == {("all", ""): (None, None, True, date(2024, 11, 1))}


def test_the_day_from_which_the_next_delivery_is_late(finished):
    assert told(finished, FINES, "late_from") == {("all", ""): (None, None, None, date(2025, 1, 16))}


def test_a_release_in_which_a_key_occurs_twice(finished):
    of = MEDICARE_CLAIMS.bronze
    lines = told(finished, of, "rows_in")["2024-10-01", ""][0]
    assert told(finished, of, "duplicates") == {("2024-10-01", ""): (1, lines, False, None)}
    (row,) = (
        row for row in chain.rows(finished.lake, DATA_QUALITY) if row["measure"] == "counts" and not row["passed"]
    )
    assert row["told"].startswith("claims.csv is refused: ")


def test_it_is_a_function_of_what_is_there(copied):
    before = chain.table(copied.lake, DATA_QUALITY)
    assert stale(copied) == []
    copied.lake.catalog.drop_table(DATA_QUALITY.name)
    assert stale(copied) == [DATA_QUALITY.name]
    chain.whole(copied)
    assert chain.table(copied.lake, DATA_QUALITY).equals(before)
    assert stale(copied) == []


def test_a_build_that_was_killed_before_its_results_were_kept_is_done_again(copied, monkeypatch):
    before = chain.table(copied.lake, DATA_QUALITY)
    copied.lake.storage.delete(f"state/checked/{FINES.name}")
    forget(copied.lake, FINES, ["2024-07-01", "2024-09-01", "2024-10-01", "2024-11-01"])
    build = BuildRelease(table=FINES.name, coverage="2024-07-01")
    with monkeypatch.context() as killed:
        killed.setattr(Checks, "note", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            build.run(copied)
    assert stale(copied) == [FINES.name] * 4 + [DATA_QUALITY.name]
    chain.whole(copied)
    assert chain.table(copied.lake, DATA_QUALITY).equals(before)


def test_to_build_the_same_again_changes_nothing(copied):
    before = chain.snapshots(copied.lake)
    other = replace(copied, run=RunInfo(run_id="another", asset="test"))
    chain.published(BuildRelease(table=FINES.name, coverage="2024-07-01").run(other).results)
    assert stale(copied) == []
    assert chain.snapshots(copied.lake) == before


def test_what_the_gate_refused_is_told_until_it_is_forgotten(copied):
    refusals = Refusals(copied.lake.storage)
    refusals.note(FINES.name, {"2024-11-01": "something"}, "grain", "3 found: one row per fine")
    assert stale(copied) == [DATA_QUALITY.name]
    chain.whole(copied)
    assert told(copied, FINES, "withheld") == {("2024-11-01", "grain"): (None, None, False, None)}
    refusals.forget(FINES.name, ["2024-11-01"])
    chain.whole(copied)
    assert told(copied, FINES, "withheld") == {}
