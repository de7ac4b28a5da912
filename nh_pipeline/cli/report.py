"""``nh report``: a home or a state on paper, as one file that needs nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from nh_pipeline.cli.dashboard import EXTRA
from nh_pipeline.cli.terminal import FAILED, USAGE, console, lake_of, read_settings, stop

_SECONDS = 120
"""How long a browser may take to print."""


def report(
    what: Annotated[str, typer.Argument(metavar="FACILITY|STATE", help="A CCN, or a state's two letters.")],
    *,
    out: Annotated[Path | None, typer.Option(help="File to write (default: report-….html or .pdf, here).")] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Print it with Chromium, without a network.")] = False,
    browser: Annotated[
        str, typer.Option(envvar="NH_CHROMIUM", help="The Chromium that prints (default: one on PATH).")
    ] = "",
) -> None:
    """Write what the dashboard shows of a home or a state as one HTML file, or as PDF."""
    code = what.strip().upper()
    if not (code.isascii() and code.isalnum()):
        stop(f"{what}: expected a CCN, as 015009, or the two letters of a state, as TX", USAGE)
    target = out or Path(f"report-{code}.{'pdf' if pdf else 'html'}")
    if target.is_dir() or not target.absolute().parent.is_dir():
        stop(f"--out {target}: expected a file in a folder that is there", USAGE)
    chromium = _chromium(browser) if pdf else ""
    document = _document(code)
    if pdf:
        _print(document, target, chromium)
    else:
        target.write_text(document, encoding="utf-8")
    console.print(f"{target} is written", soft_wrap=True)


def _document(code: str) -> str:
    try:
        from dashboard.asking import directly
        from dashboard.filters import bounds
        from dashboard.paper import Paper, made
        from dashboard.sections import facility, state_report
    except ImportError as error:
        stop(f"Reports need {error.name}: {EXTRA}", USAGE)
    from nh_pipeline.queries.open import QueryError, queries

    settings = read_settings()
    try:
        if not settings.athena_workgroup:
            lake_of(settings)
        asked = queries(settings)
        if not (version := asked.version()):
            stop(f"{settings.home} (NH_HOME) has no tables yet; nh run FOLDER makes them", FAILED)
        paper, ask = Paper(), directly(asked)
        write = state_report.report if code.isalpha() else facility.report
        write(paper, ask, code)
        return paper.document(f"{code}: nursing-home staffing", made(bounds(ask), version))
    except LookupError as error:
        stop(str(error.args[0]), USAGE)
    except QueryError as error:
        stop(str(error), FAILED)


def _chromium(named: str) -> str:
    """The browser that prints."""
    names = [named] if named else ["chromium", "chromium-browser", "google-chrome", "chrome"]
    found = next(filter(None, map(shutil.which, names)), "")
    if not found:
        told = f"there is no {named}" if named else "there is none on PATH"
        stop(f"--pdf needs Chromium or Chrome, and {told}. Name it with --browser, or print the HTML yourself", USAGE)
    return found


def _print(document: str, target: Path, chromium: str) -> None:
    """Prints a document; the browser gets a profile of its own, and no network."""
    with tempfile.TemporaryDirectory(prefix="nh-report-", ignore_cleanup_errors=True) as folder:
        page, printed = Path(folder) / "report.html", Path(folder) / "report.pdf"
        page.write_text(document, encoding="utf-8")
        options = ["--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
        options += ["--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder}/profile"]
        options += ["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []  # else it does not start
        command = [chromium, *options, "--no-pdf-header-footer", f"--print-to-pdf={printed}", page.as_uri()]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)  # noqa: S603
        except (OSError, subprocess.TimeoutExpired) as error:
            stop(f"{chromium} did not print: {error}", FAILED)
        if not printed.is_file():
            stop(f"{chromium} did not print (exit {done.returncode}): {done.stderr.strip()[-500:]}", FAILED)
        shutil.copyfile(printed, target)
