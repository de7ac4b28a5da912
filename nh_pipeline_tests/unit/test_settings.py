"""Settings: checked before anything is started, named by their variable, absolute."""

from __future__ import annotations

import os
import socket
import time

import pytest
from pydantic import ValidationError

from nh_pipeline.errors import explain, told
from nh_pipeline.lake.lake import Lake
from nh_pipeline.settings import Settings
from nh_pipeline.tables import tables
from nh_pipeline_tests.support.local import Nh


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch, tmp_path):
    for name in [n for n in os.environ if n.startswith("NH_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def refused(monkeypatch, **values: str) -> str:
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as caught:
        Settings()
    said = explain(caught.value)
    assert said
    assert "default factory" not in said
    assert "geheim" not in said + str(caught.value)
    return said


@pytest.mark.parametrize(
    "name",
    [
        "lake [2024]",
        "lake#1",
        "what?",
        "a%20b",
        "*",
        "a{1}",
        "back\\slash",
        "two\nlines",
        "a\tb",
        "\udcff",
        " lead",
        "end ",
    ],
)
@pytest.mark.parametrize("variable", ["NH_HOME", "NH_DAGSTER_HOME"])
def test_a_folder_that_some_library_would_misread_is_refused(monkeypatch, tmp_path, variable, name):
    assert f"{variable} is " in refused(monkeypatch, **{variable: f"{tmp_path}/{name}" if name != " lead" else name})
    assert list(tmp_path.iterdir()) == []


def test_also_where_only_a_folder_above_has_such_a_name(monkeypatch, tmp_path):
    (tmp_path / "work [old]").mkdir()
    monkeypatch.chdir(tmp_path / "work [old]")
    assert "NH_HOME is " in refused(monkeypatch)


def test_dagsters_own_home_counts_if_it_holds_an_instance(monkeypatch, tmp_path):
    theirs = tmp_path / "dagster_home"
    monkeypatch.setenv("DAGSTER_HOME", str(theirs))
    assert Settings().dagster_home == tmp_path / ".nh" / "dagster"
    theirs.mkdir()
    (theirs / "dagster.yaml").touch()
    assert Settings().dagster_home == theirs
    monkeypatch.setenv("NH_DAGSTER_HOME", str(tmp_path / "ours"))
    assert Settings().dagster_home == tmp_path / "ours"


@pytest.mark.parametrize(
    "name", ["a b", "it's", 'a"b', "ü", "日本", "~x", "a;b", "a&b", "a+b", "a:b", "a=b", "$HOME", "a(b)"]
)
def test_all_other_names_work_and_nothing_is_written_beside_them(monkeypatch, tmp_path, name):
    monkeypatch.setenv("NH_HOME", str(tmp_path / name))
    settings = Settings()
    lake = Lake(settings.home, settings.catalog_properties)
    for table in tables()[:2]:
        lake.table(table)
        assert lake.load(table) is not None
        assert lake.relative(lake.load(table).metadata_location).startswith("warehouse/")
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert Nh(settings.home)("query", "select count(*) as n from gold.facility_month").exit_code == 0


def test_places_are_absolute_and_a_tilde_is_the_users_own(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setenv("NH_HOME", "~/lake")
    monkeypatch.setenv("NH_SOURCE", "inbox")
    settings = Settings()
    assert settings.home == str(tmp_path / "me" / "lake")
    assert settings.dagster_home == tmp_path / "me" / "lake" / "dagster"
    assert settings.source == str(tmp_path / "inbox")
    monkeypatch.setenv("NH_HOME", "")  # as good as not set
    assert Settings().home == str(tmp_path / ".nh")
    monkeypatch.setenv("NH_HOME", "~nobody-of-this-name/lake")
    assert "NH_HOME" in refused(monkeypatch)


def test_a_file_is_no_home(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    for place in ("file", "file/lake"):
        assert "is a file; expected a folder" in refused(monkeypatch, NH_HOME=str(tmp_path / place))
    assert "NH_HOME" in refused(monkeypatch, NH_HOME=str(tmp_path / ("x" * 300)))
    assert "expected a folder, or s3://bucket/prefix" in refused(monkeypatch, NH_HOME="http://bucket/x")
    assert "NH_HOME" in refused(monkeypatch, NH_HOME="s3://bucket/a#b")


def test_wrong_settings_are_wrong_usage(monkeypatch, tmp_path):
    of_lakes = (["status"], ["query", "select 1"], ["quarantine", "list"], ["run", "."], ["confirm", "x"])
    for command in (*of_lakes, ["aws", "check"]):
        told_ = Nh(tmp_path / "a#b")(*command, exits=2)
        assert "NH_HOME" in told_.stderr
    assert "NH_GLUE_TIMEOUT" in refused(monkeypatch, NH_GLUE_TIMEOUT="soon")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("engine", ["spark", "sc://", "sc://host:port", "local[*]", "sc://h:1 /;token=geheim"])
def test_an_engine_that_is_none(monkeypatch, engine):
    assert "NH_ENGINE is " in refused(monkeypatch, NH_ENGINE=engine)


@pytest.mark.parametrize(
    "engine", ["sail", "Sail", "JVM", "sc://localhost", "sc://localhost:9", "sc://[::1]:9/;token=x"]
)
def test_engines(monkeypatch, engine):
    monkeypatch.setenv("NH_ENGINE", engine)
    assert Settings().engine.lower() == engine.lower()


@pytest.mark.parametrize("named", ["", "cms", "clinical", "clinical, cms", "treatments"])
def test_domains(monkeypatch, named):
    monkeypatch.setenv("NH_DOMAINS", named)
    assert Settings().domains == named


def test_a_domain_that_is_none(monkeypatch):
    said = refused(monkeypatch, NH_DOMAINS="cms,clincal")
    assert said == "NH_DOMAINS names clincal: expected some of cms, clinical, treatments, or nothing"


@pytest.mark.parametrize("named", ["east=America/Nowhere", "America/Chicago", "east=", "a=UTC,b=../UTC"])
def test_a_time_zone_that_is_none(monkeypatch, named):
    assert "expected a source and a time zone of IANA's" in refused(monkeypatch, NH_LOCAL_TIME_ZONES=named)


@pytest.mark.parametrize("prefix", ["clinical_", "dev_clinical_", "treatments_"])
def test_a_prefix_does_not_make_one_domain_look_like_another(monkeypatch, prefix):
    assert f"{prefix}gold would have the name of a database of a domain" in refused(
        monkeypatch, NH_DATABASE_PREFIX=prefix
    )
    monkeypatch.setenv("NH_DATABASE_PREFIX", "preclinical_")
    assert Settings().database_prefix == "preclinical_"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nonsense", "no address of a database"),
        ("postgresql://nh:geheim@host:port/nh", "no address of a database"),
        ("oracle9://nh:geheim@host/nh", "which SQLAlchemy does not know"),
        ("postgresql+pg8000://nh:geheim@host/nh", "pg8000, which is not installed"),
        ("sqlite://", "without a file"),
        ("sqlite:////no/such/folder/catalog.db", "which does not exist"),
        ("sqlite:////tmp/a [1]/catalog.db", "NH_CATALOG_URL"),
    ],
)
def test_a_catalog_that_cannot_be(monkeypatch, url, says):
    said = refused(monkeypatch, NH_CATALOG_URL=url)
    assert says in said
    assert "NH_CATALOG_URL" in said


@pytest.mark.parametrize(("written", "meant"), [("~/key.json", "{home}/key.json"), ("key.json", "{here}/key.json")])
def test_a_key_file_is_the_same_wherever_the_process_works(monkeypatch, tmp_path, written, meant):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NH_DRIVE_CREDENTIALS", written)
    found = Settings().drive_credentials
    assert found is not None
    assert found.get_secret_value() == meant.format(home=tmp_path / "home", here=tmp_path / "here")


@pytest.mark.parametrize("key", ["-----BEGIN PRIVATE KEY-----\ngeheim\n", "geheim" * 1000])
def test_a_key_in_the_place_of_its_file_is_not_shown(monkeypatch, key):
    monkeypatch.setenv("NH_DRIVE_CREDENTIALS", key)
    with pytest.raises(ValidationError, match="neither the path of a file") as caught:
        Settings()
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_postgres_however_it_is_written(monkeypatch, scheme):
    monkeypatch.setenv("NH_CATALOG_URL", f"{scheme}://nh:p%40ss@host/nh")
    assert Settings().catalog_properties["uri"] == "postgresql+psycopg2://nh:p%40ss@host/nh?connect_timeout=10"


def test_a_catalog_that_does_not_answer_is_one_sentence(monkeypatch, tmp_path):
    with socket.socket() as mute:  # takes the connection, and says nothing
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        for port, query in ((1, ""), (mute.getsockname()[1], "?connect_timeout=2")):
            monkeypatch.setenv("NH_CATALOG_URL", f"postgres://nh:geheim@127.0.0.1:{port}/nh{query}")
            settings, started = Settings(home=str(tmp_path)), time.monotonic()
            with pytest.raises(Exception, match=r".") as caught:
                Lake(settings.home, settings.catalog_properties).load(tables()[0])
            said = told(caught.value)
            assert said
            assert "The Iceberg catalog (NH_CATALOG_URL): it does not answer" in said
            assert "geheim" not in said
            assert time.monotonic() - started < 60
