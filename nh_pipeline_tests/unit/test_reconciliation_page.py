"""The page on the reconciliation names every rule, constant and verdict, and no other."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path

from nh_pipeline.marts.reconciliation.constants import CONSTANTS
from nh_pipeline.marts.reconciliation.figure import VERDICTS
from nh_pipeline.marts.reconciliation.mart import FIGURES, SUBJECTS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reconciliation.md").read_text()


def named(heading: str) -> set[str]:
    """What the first cells of the tables under a heading name."""
    section = PAGE.partition(f"{heading}\n")[2].partition("\n## ")[0]
    cells = (line.split("|")[1] for line in section.splitlines() if line.startswith("| `"))
    return {name for cell in cells for name in re.findall("`([^`]+)`", cell)}


def covers(patterns: set[str], names: set[str]) -> bool:
    told = {name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)}
    used = {pattern for pattern in patterns if any(fnmatchcase(name, pattern) for name in names)}
    return (told, used) == (names, patterns)


def test_every_rule_has_a_name_of_its_own_and_is_on_the_page():
    assert len(FIGURES) == sum(len(subject.figures) for subject in SUBJECTS)
    assert covers(named("## What holds, and how exactly"), set(FIGURES))


def test_every_constant_and_verdict_is_on_the_page():
    assert covers(named("## Constants"), {constant.name for constant in CONSTANTS})
    assert named("# Reconciliation") == set(VERDICTS)


def test_every_rule_says_what_cms_calls_its_figure():
    assert {figure.published.partition(": ")[0] for figure in FIGURES.values()} == {
        "COVID-19 Vaccination Rates - Averages",
        "Medicare Claims Quality Measures",
        "Provider Information",
        "SNF Value-Based Purchasing - Aggregate",
        "SNF Value-Based Purchasing - Facility",
        "State US Averages",
        "Survey Summary",
    }
    assert all(figure.published.partition(": ")[2] for figure in FIGURES.values())
