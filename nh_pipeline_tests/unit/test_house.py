"""The house: which room may know which, what a room may load, and where a dataset's name may stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from nh_pipeline import datasets, marts
from nh_pipeline.domains import PROTECTED, VARIABLE
from nh_pipeline.tables import silver, tables

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "nh_pipeline"
OWN = ("datasets", "marts", "sample")
"""Rooms in which files are named."""


def test_there_are_few_loose_modules():
    loose = {path.name for path in PACKAGE.glob("*.py")} - {"__init__.py"}
    assert len(loose) <= 7, loose


def test_no_dataset_is_named_outside_of_its_declaration():
    names = [dataset.name for dataset in datasets.declared()]
    shorts = [table.short for table in silver() if table.dataset]
    # As a name in code: all of a text, or a part of a key, a path or a table's name; a word of a sentence is none.
    either = "|".join(map(re.escape, [*names, *shorts]))
    begins = r"""["'/]|raw__|silver\.|bronze\."""
    code = re.compile(rf"""(?:{begins})(?:{either})(?:_raw|_delivery)?["'/]|\b(?:silver|bronze)\.(?:{either})""")
    constant = re.compile(rf"\b(?:{'|'.join(n.upper() for n in (*names, *shorts))})\b")
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        where = path.relative_to(PACKAGE)
        # Views are SQL for people, and name tables; the demo tells of what it has generated.
        if where.parts[0] in OWN or where.as_posix() in ("queries/views.py", "cli/demo.py"):
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            told = line.lower().find("such as")  # an example in a help text
            if constant.search(line) or (code.search(line) and told < 0):
                found.append(f"{where}:{number}: {line.strip()}")
    assert found == []


@pytest.mark.parametrize("module", ["nh_pipeline.landing", "nh_pipeline.datasets", "nh_pipeline.marts"])
def test_what_reads_a_header_loads_no_engine(module):
    heavy = ("pyspark", "pandera", "dagster", "pyiceberg", "sqlalchemy")
    program = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert found.stdout.strip() == "[]"


def test_a_file_and_a_mart_are_one_module_each():
    modules = [path.read_text() for path in (PACKAGE / "datasets").rglob("*.py")]
    for dataset in datasets.with_tables():
        assert sum(f'name="{dataset.name}",' in text for text in modules) == 1
    written = {path.stem for path in (PACKAGE / "marts").rglob("*.py")}
    for mart in marts.declared():
        # Those of the reconciliation are a package of their own.
        assert mart.name in written or mart.name.startswith("reconciliation")
    assert len((PACKAGE / "datasets" / "cms" / "penalties.py").read_text().splitlines()) <= 60
    assert len((PACKAGE / "marts" / "facility_month.py").read_text().splitlines()) <= 90


NOT_IN_A_TRANSFORM = {
    r"\budf\b|pandas_udf": "a user-defined function",
    r"\bF\.round\(|\bround\(": "round of a double",
    r"\\\\d": r"\\d in a pattern",
    r"monotonically_increasing_id": "numbers that depend on how rows are spread",
    r"count_distinct|countDistinct": "a distinct count over several columns",
    r"for .*\n\s+\w+ = \w+\.withColumn": "withColumn in a loop",
    r"current_date|current_timestamp|\bnow\(": "the clock",
}


@pytest.mark.parametrize("folder", ["transforms", "datasets", "marts"])
def test_transforms_keep_to_the_subset_that_all_engines_share(folder):
    for path in sorted((PACKAGE / folder).rglob("*.py")):
        text = path.read_text()
        code = re.sub(r'"""[\s\S]*?"""|#.*', "", text)
        for pattern, what in NOT_IN_A_TRANSFORM.items():
            assert not re.search(pattern, code), f"{path}: {what}"
        for library in ("dagster", "pyiceberg", "datetime.now", "open("):
            assert f"import {library}" not in code, f"{path}: {library}"


def test_a_process_of_one_domain_has_all_of_its_tables_and_none_of_the_others(monkeypatch):
    def chosen(names: str) -> set[str]:
        monkeypatch.setenv(VARIABLE, names)
        return {table.name for table in tables()}

    every, public = chosen(""), chosen("cms")
    protected = {domain: chosen(domain) for domain in PROTECTED}
    both = {"gold.facility_outcomes"}
    assert public.union(both, *protected.values()) == every
    for domain, own in protected.items():
        assert {name for name in every if name.startswith(f"{domain}_")} == own
