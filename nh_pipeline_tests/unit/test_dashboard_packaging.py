"""What is installed holds the dashboard whole, and what is written on paper needs no Streamlit."""

from __future__ import annotations

import subprocess
import sys
import zipfile

from hatchling.builders.wheel import WheelBuilder

from dashboard.pages import PAGES
from nh_pipeline_tests.conftest import REPOSITORY

MODULES = sorted((REPOSITORY / "dashboard" / "sections").glob("[a-z]*.py"))


def test_the_wheel_holds_pages_settings_and_icon(tmp_path):
    (wheel,) = WheelBuilder(str(REPOSITORY)).build(directory=str(tmp_path), versions=["standard"])
    held = set(zipfile.ZipFile(wheel).namelist())
    files = {p.relative_to(REPOSITORY).as_posix() for p in (REPOSITORY / "dashboard").rglob("*") if p.is_file()}
    wanted = {name for name in files if "__pycache__" not in name}
    assert {"dashboard/.streamlit/config.toml", "dashboard/icon.svg", "dashboard/app.py"} <= wanted
    assert {f"dashboard/{page.script}" for page in PAGES} <= wanted
    assert wanted <= held


def test_every_view_is_a_page():
    views = {f"views/{path.name}" for path in (REPOSITORY / "dashboard" / "views").glob("*.py")}
    assert views == {page.script for page in PAGES}


def test_sections_and_paper_load_no_streamlit():
    names = ", ".join(f"dashboard.sections.{path.stem}" for path in MODULES)
    program = f"import sys, dashboard.paper, dashboard.asking, {names}; print('streamlit' in sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=120
    )
    assert found.stdout.strip() == "False"
