"""One result on every engine: Sail and the JVM build equal lakes from the same deliveries."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from nh_pipeline.contracts.bronze import BRONZE, REJECTS
from nh_pipeline.contracts.gold import FACILITY_MEASURES
from nh_pipeline.sample import Correction, Deliveries
from nh_pipeline_tests import chain
from nh_pipeline_tests.text_values import TEXTS, read_all

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

PLAN = Deliveries(30, ("2024Q1", "2024Q3"), releases=2, days=3)
"""Releases of July and August 2024, of which the days of the third quarter see the first."""


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
    broken(providers, (2, lambda line: b"12-456" + line[line.index(b",") :]), (4, lambda line: line + b",surplus"))
    return folder


@pytest.fixture(scope="module")
def lakes(engine, drop, tmp_path_factory):
    """The lake of Sail, built here, and the lake of the JVM, built beside it in a process of its own."""
    sail, jvm = (tmp_path_factory.mktemp(name) for name in ("sail", "jvm"))
    command = [sys.executable, "-m", "nh_pipeline_tests.chain", "jvm", str(jvm), str(drop)]
    # A Connect session leaves its mark in this process's environment.
    bare = {name: value for name, value in os.environ.items() if not name.startswith("SPARK_")}
    with ThreadPoolExecutor(1) as pool:
        beside = pool.submit(
            subprocess.run, command, capture_output=True, text=True, check=False, timeout=1000, env=bare
        )
        workspace = chain.workspace_at(sail, engine)
        chain.land(workspace, drop)
        chain.whole(workspace)
        done = beside.result()
    assert done.returncode == 0, done.stderr[-3000:]
    return workspace.lake, chain.Lake(str(jvm)), done.stdout


@pytest.mark.parametrize("contract", chain.TABLES, ids=lambda c: c.name)
def test_every_table_is_the_same(lakes, contract):
    sail, jvm, _ = lakes
    expected, found = chain.table(sail, contract), chain.table(jvm, contract)
    assert expected.num_rows > 0
    assert found.num_rows == expected.num_rows
    different = [c for c in contract.columns if not found[c].equals(expected[c])]
    told = [
        (c, a, b)
        for c in different
        for a, b in zip(expected[c].to_pylist(), found[c].to_pylist(), strict=True)
        if a != b
    ]
    assert told[:5] == []
    assert found.equals(expected)


def test_both_refused_the_same_lines(lakes):
    sail, _, _ = lakes
    rejects = [(r["dataset"], r["stage"], r["reason"].partition(" expected ")[0]) for r in chain.rows(sail, REJECTS)]
    assert sorted(rejects) == [
        ("daily_nurse_staffing", "parse", "expected 33 cells as in the header, found 3"),
        ("daily_nurse_staffing", "type", "hrs_medaide_ctr:"),
        ("daily_nurse_staffing", "type", "provider_id, work_date:"),
        ("daily_nurse_staffing", "type", "work_date:"),
        ("daily_nurse_staffing", "type", "work_date:"),
        ("providers", "parse", "expected 103 cells as in the header, found 104"),
        ("providers", "type", "provider_id:"),
    ]
    assert sail.pin(FACILITY_MEASURES).rows == 30 * 3 - 4
    assert sail.pin(BRONZE["daily_nurse_staffing"]).rows == 90 + 27 * 3


def test_every_text_is_read_the_same(lakes, engine):
    _, _, printed = lakes
    assert printed.splitlines() == [ascii(row) for row in read_all(engine)]
    assert len(printed.splitlines()) == len(TEXTS)
