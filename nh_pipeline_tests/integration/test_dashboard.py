"""The dashboard without a browser: every page on a whole lake, an empty one, one half built, one being written."""

from __future__ import annotations

import re
import time
from collections import Counter
from datetime import date
from functools import cache

import pyarrow as pa
import pytest
import sqlglot

from dashboard import words
from dashboard.pages import PAGES
from nh_pipeline.domains import PROTECTED
from nh_pipeline.queries.open import LakeQueries, queries
from nh_pipeline.queries.views import translated
from nh_pipeline.sample import Correction
from nh_pipeline.sample.clinical import clinical_truth
from nh_pipeline.sample.treatments import System, TreatmentTruth
from nh_pipeline.settings import Settings
from nh_pipeline.tables import gold
from nh_pipeline_tests.conftest import REPOSITORY
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.local import Nh
from nh_pipeline_tests.support.whole_lake import HOMES, PLAN, RESIDENTS, TREATMENTS

pytest.importorskip("streamlit", reason="Streamlit needs Python 3.11")

import streamlit as st
from streamlit.testing.v1 import AppTest

pytestmark = [
    pytest.mark.integration,
    pytest.mark.every_mart,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SCRIPTS = [page.script for page in PAGES]
COUNTS = {"patients", "encounters", "claims", "admissions", "rehospitalized", "ended", "overturned", "crude_again",
          "treatments", "decided", "successes", "still_open", "n_with_cost"}  # fmt: skip
OWN = [page.script for page in PAGES if page.domains & set(PROTECTED)]
HOME = "views/facility.py"
HOSTILE = (
    "'; drop table gold.facility_month; --",
    "<script>alert(1)</script>",
    "![x](http://evil.example/x.png) [y](javascript:1) $\\frac{1}{0}$ :material/home: :red[x]",
    "\x00\u202e" + "9" * 5000,
)
SCREEN = ("title", "subheader", "markdown", "caption", "info", "warning", "metric", "dataframe", "text_input")


@cache
def lake_at(home):
    """Where a lake is asked: it is opened once, and no answer is kept."""
    return queries(Settings(home=str(home)))


@pytest.fixture
def shown(monkeypatch):
    """Runs a page on a lake, as a new session; whatever became of it, it was told in sentences."""

    def _shown(home, script=SCRIPTS[0], **address):
        monkeypatch.setenv("NH_HOME", str(home))
        monkeypatch.setattr("dashboard.lake.queries", lambda _: lake_at(home))
        at = AppTest.from_file(str(REPOSITORY / "dashboard" / "app.py"), default_timeout=120)
        ccn = {"ccn": "458001"} if script == HOME else {}  # else it shows a search alone
        for key, value in {**ccn, **address}.items():
            at.query_params[key] = value
        return fine(at.switch_page(script).run() if script != SCRIPTS[0] else at.run())

    st.cache_resource.clear()
    st.cache_data.clear()
    yield _shown
    st.cache_resource.clear()
    st.cache_data.clear()


def fine(at, *, errors=()):
    """A page that was shown: no exception, and no error but those expected."""
    assert not at.exception, [e.value for e in at.exception]
    assert [e.value for e in at.error] == list(errors)
    return at


def told(at):
    """Every sentence of a page, as it is read."""
    texts = [e.value for name in SCREEN[:6] for e in getattr(at, name)]
    return re.sub(r"\\([^\w\s])", r"\1", "\n".join(map(str, texts)))


def number(home, sql, *parameters):
    """One figure, asked of the lake itself."""
    answer = lake_at(home).query(sql, list(parameters))
    return answer.column(0)[0].as_py()


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_page_is_shown(shown, whole_lake, script):
    at = shown(whole_lake, script)
    assert at.title[0].value
    assert sum(len(getattr(at, name)) for name in SCREEN) > 3, "a page has more than a title"


@pytest.mark.at_length
@pytest.mark.parametrize("script", SCRIPTS)
def test_every_question_of_a_page_can_be_put_to_athena(shown, whole_lake, script, monkeypatch):
    """Read back from Athena's dialect it is run, and has the same answer."""
    asked, query = {}, LakeQueries.query

    def noted(self, sql, parameters=()):
        asked[sql, tuple(parameters)] = query(self, sql, parameters)
        return asked[sql, tuple(parameters)]

    monkeypatch.setattr(LakeQueries, "query", noted)
    shown(whole_lake, script)
    monkeypatch.undo()
    assert asked
    source = lake_at(whole_lake)
    for (sql, parameters), direct in asked.items():
        again = source.query(sqlglot.transpile(translated(sql, "athena"), "athena", "duckdb")[0], parameters)
        assert (again.num_rows, again.column_names) == (direct.num_rows, direct.column_names), sql
        for name in direct.column_names:
            ours, theirs = direct[name].to_pylist(), again[name].to_pylist()
            if pa.types.is_floating(direct.schema.field(name).type):  # sums depend on the order of their rows
                ours, theirs = (sum(v for v in values if v is not None) for values in (ours, theirs))
                assert theirs == pytest.approx(ours, nan_ok=True), (sql, name)
            else:
                assert Counter(map(str, theirs)) == Counter(map(str, ours)), (sql, name)


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_page_is_on_paper(shown, whole_lake, script):
    at = shown(whole_lake, script, print="1")
    (sheet,) = (h.proto.body for h in at.get("html") if h.proto.body.startswith('<div class="paper"><h1>'))
    made = re.search(r"<footer>Made (.+?), \d\d:\d\d UTC.* (\w+ \d+ to \w+ \d+, 2024).*tables: ([0-9a-f]{12})", sheet)
    assert made, sheet[-300:]
    assert made[2] == "Jan 1 to Apr 14, 2024"
    assert lake_at(whole_lake).version().startswith(made[3])


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_lake_without_tables(shown, tmp_path, script):
    at = shown(tmp_path / "nowhere", script)
    assert "This lake has no tables yet" in at.info[0].value
    assert not (tmp_path / "nowhere").exists()  # who looks makes no lake


@pytest.fixture(scope="module")
def half_built(whole_lake, tmp_path_factory):
    """The same lake before gold was built."""
    lake = chain.copied(whole_lake, tmp_path_factory.mktemp("half") / "lake")
    for table in gold():
        lake.catalog.drop_table(table.name)
    return lake.storage.root


@pytest.mark.at_length
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_lake_half_built(shown, half_built, script):
    at = shown(half_built, script)
    assert at.title[0].value
    assert at.info, "it says why there is nothing"


KEYS = sorted(
    key
    for path in (REPOSITORY / "dashboard").rglob("*.py")
    for found in re.findall(r'\bkey="(\w+)"|query_params.get\("(\w+)"', path.read_text(encoding="utf-8"))
    for key in filter(None, found)
    if key != "print"
)
"""All that pages take from their address."""

ADDRESSES = {
    "days that never were": {"dates": ["1999-13-01", "x"]},
    "homes that there are none of": {"state": ["Wyoming"], "ownership": ["government"], "size": ["below 60 beds"]},
    "a chain that nobody knows": {"chain": "Nobody (0)"},
    **{
        f"texts that mean harm, {turn}": {key: HOSTILE[(n + turn) % 4] for n, key in enumerate(KEYS)}
        for turn in range(2)
    },
}


@pytest.mark.at_length
@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("script", SCRIPTS)
def test_any_address(shown, whole_lake, script, address):
    assert told(shown(whole_lake, script, **ADDRESSES[address]))


@pytest.mark.parametrize("script", SCRIPTS[:2])
def test_days_without_data(shown, whole_lake, script):
    assert "Feb 1 to Feb 10, 2024" in shown(whole_lake, script, dates=["2024-02-01", "2024-02-10"]).info[0].value


def test_a_home_that_nobody_knows(shown, whole_lake):
    assert "999999" in shown(whole_lake, HOME, ccn="999999").info[0].value


@pytest.mark.at_length
@pytest.mark.parametrize("script", SCRIPTS)
def test_hostile_text_in_every_input(shown, whole_lake, script):
    at = shown(whole_lake, script)
    for text in HOSTILE:
        for place in range(len(at.text_input)):
            if place < len(at.text_input):
                fine(at.text_input[place].set_value(text).run())
        assert "<script" not in "".join(h.proto.body for h in at.get("html"))


POOLED = """select cast(sum(rn_hours + lpn_hours + aide_hours) as double) / sum(census)
    from silver.fct_staffing_levels where census > 0 and work_date between ? and ? and state like ?"""


def test_figures_are_those_of_the_lake(shown, whole_lake):
    newest = (date(2024, 4, 1), date(2024, 6, 30))
    at = shown(whole_lake)
    assert at.metric[0].value == f"{number(whole_lake, POOLED, *newest, '%'):.2f}"
    at = shown(whole_lake, dates=["2024-01-03", "2024-01-09"])
    week = (date(2024, 1, 3), date(2024, 1, 9))
    assert at.metric[0].value == f"{number(whole_lake, POOLED, *week, '%'):.2f}"
    assert "Jan 3 to Jan 9, 2024" in told(at)
    state = number(whole_lake, "select min(state) from silver.fct_staffing_levels where state = 'CA'")
    at = shown(whole_lake, state=["California"])
    assert at.metric[0].value == f"{number(whole_lake, POOLED, *newest, state):.2f}"
    assert "California" in told(at)


def test_own_records_come_to_what_was_made_up(shown, whole_lake):
    truth = clinical_truth(cms=PLAN, patients=RESIDENTS, homes=HOMES)
    ed, crude, unplanned = truth.ed, truth.crude, truth.unplanned
    at = shown(whole_lake, "views/encounters.py")
    rates = [words.share(n / ed.index) for n in (ed.revisited_72h, ed.revisited_30d)]
    assert [m.value for m in at.metric[:3]] == [f"{ed.index:,}", *rates]
    at = shown(whole_lake, "views/outcomes.py")
    rates = [words.share(rate.readmitted / rate.index) for rate in (crude, unplanned)]
    assert [m.value for m in at.metric] == rates


def test_treatments_come_to_what_was_made_up(shown, whole_lake):
    truth = TreatmentTruth(System(PLAN, TREATMENTS), extractions=4)
    rates = truth.tables["summary_provider_success_rates"]
    total, decided, successes = (sum(r[of] for r in rates) for of in ("total_treatments", "decided", "successes"))
    at = shown(whole_lake, "views/treatments.py")
    assert [at.metric[0].value, at.metric[2].value] == [f"{total:,}", words.share(successes / decided)]
    assert [m.value for m in at.metric[4:6]] == ["18", "0"], "steps that match, and that do not"
    at = shown(whole_lake, "views/treatments.py", country="Canada", speciality="Neurology", without_few="true")
    cities, places = next(f.value for f in at.dataframe if "city" in f.value), {"Canada"}
    assert {*cities["country"]} == places
    # A state of another country that was chosen before leads to no city, not to an error.
    told_so = fine(at.selectbox(key="place_state").select("Ontario").run())
    told_so = fine(told_so.selectbox(key="country").select("United States").run())
    assert any("city" in frame.value for frame in told_so.dataframe)


@pytest.mark.at_length
@pytest.mark.parametrize("script", OWN)
def test_no_page_shows_a_patient(shown, whole_lake, script):
    """Neither in what is read, nor in what can be taken along: aggregates, without small numbers."""
    ids = lake_at(whole_lake).query(
        "select patient_id from clinical_silver.dim_patients union all select encounter_id from "
        "clinical_silver.fct_encounters union all select claim_id from clinical_silver.fct_claims union all "
        "select full_name from treatments_gold.dim_patients where patient_sk >= 0"
    )
    at = shown(whole_lake, script)
    tables = [frame.value for frame in at.dataframe]
    assert tables
    text = "\n".join([told(at), *(frame.to_csv() for frame in tables)])
    assert not [found for found in ids.column(0).to_pylist() if found in text]
    counts = [n for frame in tables for c in COUNTS & set(frame) for n in frame[c] if n not in ("<11", words.NOTHING)]
    assert all(int(n.replace(",", "")) >= 11 for n in counts), counts


@pytest.mark.at_length
def test_new_data_shows_without_a_restart(shown, whole_lake, tmp_path, engine):
    lake = chain.copied(whole_lake, tmp_path / "lake")
    newest = (date(2024, 4, 1), date(2024, 6, 30), "%")
    at = shown(lake.storage.root)
    before = number(lake.storage.root, POOLED, *newest)
    assert at.metric[0].value == f"{before:.2f}"
    workspace = chain.workspace_at(lake.storage.root, engine)
    fix = Correction(drop_facilities=1, changed_facilities=30)
    chain.land(workspace, PLAN.corrected(tmp_path / "corrected", "2024Q2", fix).parent)
    chain.parse(workspace, chain.STAFFING)
    chain.staffing(workspace, "2024Q2")
    fine(at.run())  # silver is ahead of gold: what is shown is of one version
    chain.measures(workspace, "2024Q2")
    time.sleep(2.1)  # how long a version is believed (dashboard/lake.py)
    after = number(lake.storage.root, POOLED, *newest)
    assert f"{after:.2f}" != f"{before:.2f}"
    assert fine(at.run()).metric[0].value == f"{after:.2f}"


@pytest.mark.parametrize("script", SCRIPTS)
def test_athena_that_does_not_answer(monkeypatch, shown, tmp_path, script):
    closed = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1", "AWS_REGION": "us-east-1"}
    for name, value in {**closed, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NH_ATHENA_WORKGROUP", "nowhere")
    monkeypatch.setenv("NH_HOME", str(tmp_path))
    at = AppTest.from_file(str(REPOSITORY / "dashboard" / "app.py"), default_timeout=60)
    at.query_params["ccn"] = "458001"
    at = at.switch_page(script).run()
    assert not at.exception
    (error,) = at.error
    assert "AWS: it does not answer" in error.value
    assert "Traceback" not in error.value


def test_reports_need_no_browser_and_no_streamlit(whole_lake, tmp_path):
    nh = Nh(whole_lake)
    assert "is written" in nh("report", "ca", "--out", tmp_path / "ca.html").stdout
    text = (tmp_path / "ca.html").read_text(encoding="utf-8")
    pooled = number(whole_lake, POOLED, date(2024, 4, 1), date(2024, 6, 30), "CA")
    assert f"<b>{pooled:.2f}</b>" in text
    assert "<h1>California</h1>" in text
    homes = number(whole_lake, "select count(distinct provider_id) from silver.fct_staffing_levels where state = 'CA'")
    assert len(set(re.findall(r"<td>([0-9][0-9A-Z]{5})</td>", text))) == homes
    ccn = number(whole_lake, "select min(provider_id) from gold.facility_quarter")
    nh("report", ccn, "--out", tmp_path / "home.html")
    assert ccn in (tmp_path / "home.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("999999",), 2, "999999"),
        (("ZZ",), 2, "ZZ: this lake has no daily staffing"),
        (("../x",), 2, "expected a CCN"),
        (("CA", "--out", "/nowhere/x.html"), 2, "expected a file in a folder that is there"),
        (("CA", "--pdf", "--browser", "/nowhere/chromium"), 2, "there is no /nowhere/chromium"),
    ],
)
def test_reports_that_cannot_be(whole_lake, arguments, code, sentence):
    assert sentence in " ".join(Nh(whole_lake)("report", *arguments, exits=code).stderr.split())


def test_a_report_of_nothing(tmp_path):
    found = Nh(tmp_path / "nowhere")("report", "CA", exits=1)
    assert "has no tables yet" in " ".join(found.stderr.split())


def test_the_dashboard_says_what_it_needs(monkeypatch, tmp_path):
    monkeypatch.setattr("nh_pipeline.cli.dashboard.find_spec", lambda name: None if name == "altair" else name)
    found = Nh(tmp_path)("dashboard", exits=2)
    assert "The dashboard needs altair: pip install 'nh-pipeline[dashboard]'" in " ".join(found.stderr.split())
