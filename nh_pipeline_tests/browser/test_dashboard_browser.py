"""The dashboard in a browser, as ``nh dashboard`` serves it: both themes, desktop and phone, keyboard, print."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zlib
from contextlib import contextmanager
from pathlib import Path

import pytest

from dashboard.pages import PAGES
from nh_pipeline.queries.open import queries
from nh_pipeline.settings import Settings
from nh_pipeline_tests.conftest import REPOSITORY
from nh_pipeline_tests.support.local import Nh

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("streamlit", reason="Streamlit needs Python 3.11")

CHROMIUM = Path(os.environ.get("NH_CHROMIUM", "/usr/bin/chromium"))
pytestmark = [
    pytest.mark.browser,
    pytest.mark.every_mart,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}: set NH_CHROMIUM"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
ADDRESSES = {page.title: "/" if page is PAGES[0] else f"/{Path(page.script).stem}?ccn=458001" for page in PAGES}
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1360, "height": 900}
STILL = ".stApp[data-test-script-state=notRunning]"


@contextmanager
def served(home, folder):
    """``nh dashboard`` from a folder that is not the project's; it must end with Ctrl-C, and say nothing odd."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {**os.environ, "NH_HOME": str(home), "HOME": str(folder), "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "nh_pipeline", "dashboard", "--port", str(port)]
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=env, cwd=folder, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        url, end = f"http://127.0.0.1:{port}", time.monotonic() + 300
        while not answers(f"{url}/_stcore/health"):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.3)
        yield url
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 0, log.read_text()
    finally:
        process.kill()
        process.wait(30)
    assert "Traceback" not in log.read_text()
    assert "could not be shown" not in log.read_text()
    assert "statistics" not in log.read_text()


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as found:  # noqa: S310 (loopback)
            return found.status == 200
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture(scope="module")
def server(whole_lake, tmp_path_factory):
    with served(whole_lake, tmp_path_factory.mktemp("dashboard")) as url:
        yield url


@pytest.fixture(scope="module")
def chromium(server, tmp_path_factory):
    """A browser, in which each test has a tab: what Streamlit's pages are made of is read, and compiled, once."""
    place = {"executable_path": str(CHROMIUM), "user_data_dir": tmp_path_factory.mktemp("chromium")}
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch_persistent_context(**place, args=list(FLAGS), base_url=server, viewport=DESKTOP)
        yield browser
        browser.close()


@contextmanager
def tab(chromium, server):
    """A tab that may talk to the server alone, and whose console stays silent."""
    page, odd = chromium.new_page(), []
    page.set_default_timeout(60_000)

    def looked(request):
        if not request.url.startswith((server, server.replace("http", "ws"), "data:", "blob:")):
            odd.append(request.url)

    page.on("request", looked)

    def said(message):
        # Of a page that is opened by its own address, Streamlit looks for its server below that address first.
        if message.type == "error" and "/_stcore/" not in message.location["url"]:
            odd.append(message.text)

    page.on("console", said)
    page.on("pageerror", lambda error: odd.append(str(error)))
    yield page
    page.close()
    assert odd == []


def opened(page, address):
    """A page when all of it is there."""
    page.goto(address)
    page.locator(STILL).wait_for()
    page.locator("h1").first.wait_for()
    page.locator("[data-testid=stSkeleton]").first.wait_for(state="detached")
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(300)  # charts are drawn after the script is through
    return page


FAINT = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")
WIDER = "document.querySelector('[data-testid=stMain]').scrollWidth - document.documentElement.clientWidth"
GROUND = "getComputedStyle(document.querySelector('.stApp')).backgroundColor"
WITHOUT_TEXT = """[...document.querySelectorAll('[data-testid=stVegaLiteChart], .paper img, [data-testid=stDataFrame]')]
    .filter(e => ![e, ...e.querySelectorAll('[aria-label], [alt]')].some(
        x => (x.getAttribute('aria-label') || x.getAttribute('alt') || '').trim().split(/\\s+/).length > 2))
    .map(e => e.outerHTML.slice(0, 200))"""

FOCUSED = "(e => (e.getAttribute('aria-label') || e.innerText || e.value || '').trim())(document.activeElement)"


@pytest.mark.parametrize("title", ADDRESSES)
def test_a_page(chromium, server, title):
    with tab(chromium, server) as page:
        opened(page, ADDRESSES[title])
        assert page.locator("[data-testid=stAlertContentError]").count() == 0
        assert page.evaluate(WITHOUT_TEXT) == [], "charts and tables that have no words for who cannot see them"
        light = page.evaluate(GROUND)
        assert page.evaluate(FAINT) == [], "texts that are too faint (WCAG AA)"
        page.emulate_media(color_scheme="dark")
        page.wait_for_function(f"{GROUND} !== '{light}'")
        page.wait_for_timeout(300)
        assert page.evaluate(FAINT) == [], "texts that are too faint in the dark (WCAG AA)"
        page.set_viewport_size(PHONE)
        page.wait_for_function(f"{WIDER} <= 0")  # a phone shows its whole width, once all is laid out anew


def test_pages_and_filters_are_reached_with_the_keyboard(chromium, server):
    with tab(chromium, server) as page:
        opened(page, "/")
        reached = set()
        for _ in range(60):
            page.keyboard.press("Tab")
            reached.add(page.evaluate(FOCUSED))
        told = "\n".join(reached)
        for name in [
            *(page.menu or page.title for page in PAGES[1:]),
            "Days of the week",
            "States",
            "Ownership",
            "Size",
            "Place",
            "Chain",
            "Print",
        ]:
            assert name in told, f"{name} is not reached: {sorted(reached)}"


def test_figures_are_those_of_the_lake(chromium, server, whole_lake):
    """What is read in the browser, of the newest quarter: hours over residents of its days with residents."""
    rate = "cast(sum({}) as double) / sum(census)"
    sql = (
        f"select {rate.format('total_hours')} as total, {rate.format('rn_hours')} as rn from silver.fct_staffing_levels"
    )
    (row,) = queries(Settings(home=str(whole_lake))).query(f"{sql} where census > 0 and cy_qtr = '2024Q2'").to_pylist()
    with tab(chromium, server) as page:
        read = opened(page, "/").locator("[data-testid=stMetricValue]").all_inner_texts()
    total, rn = (f"{value:.2f}" for value in row.values())
    assert (read[0], read[2]) == (total, rn)


def test_a_filter_is_in_the_address_and_goes_along(chromium, server):
    def figure(page):
        return page.locator("[data-testid=stMetricValue]").first.inner_text()

    with tab(chromium, server) as page:
        nation, state = figure(opened(page, "/")), figure(opened(page, "/?state=California"))
        assert nation != state
        page.get_by_role("link", name="Trust").first.click()
        page.wait_for_url("**/trust*")
        page.locator(STILL).wait_for()
        page.get_by_role("link", name="Overview").first.click()
        page.wait_for_url("**/?state=California")
        page.get_by_text(state, exact=True).first.wait_for()


@pytest.mark.parametrize("title", ADDRESSES)
def test_print(chromium, server, title):
    with tab(chromium, server) as page:
        opened(page, f"{ADDRESSES[title]}{'&' if '?' in ADDRESSES[title] else '?'}print=1&state=California")
        wide = page.evaluate("Math.max(...[...document.querySelectorAll('.paper *')].map(e => e.scrollWidth))")
        assert wide <= 190 / 25.4 * 96 + 1, "nothing is wider than the sheet"
        sheets = printed(page.pdf(prefer_css_page_size=True))
        assert sheets
        assert min(sheets) > 400, f"a sheet is blank: {sheets}"
        assert page.locator(".paper tbody tr").count() < 6000
        page.get_by_role("button", name="Back to the page").click()
        page.wait_for_url(lambda url: "print" not in url and "state=California" in url)


def test_a_report_is_printed(whole_lake, tmp_path):
    nh = Nh(whole_lake)
    nh("report", "CA", "--pdf", "--browser", CHROMIUM, "--out", tmp_path / "ca.pdf")
    sheets = printed((tmp_path / "ca.pdf").read_bytes())
    assert len(sheets) >= 2
    assert min(sheets) > 400


def printed(pdf):
    """How much is drawn on each Letter sheet of a PDF that Chromium wrote: bytes of its drawing, margins apart."""
    objects = {int(m[1]): m[2] for m in re.finditer(rb"(?ms)^(\d+) 0 obj\s(.*?)\nendobj", pdf)}
    found = []
    for body in objects.values():
        if re.search(rb"/Type\s*/Page\b(?!s)", body):
            assert re.search(rb"/MediaBox\s*\[0 0 612 792\]", body), body[:300]
            content = objects[int(re.search(rb"/Contents (\d+) 0 R", body)[1])]
            stream = content.partition(b"stream\n")[2].rpartition(b"\nendstream")[0]
            found.append(len(zlib.decompress(stream)))
    return found
