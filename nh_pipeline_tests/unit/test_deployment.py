"""docker-compose.yml, the image and Dagster's files: what must hold wherever they run."""

from __future__ import annotations

import re

import pytest
import yaml

from nh_pipeline.orchestration.event_log import BATCH_SIZE
from nh_pipeline.settings import Settings
from nh_pipeline_tests.support.stack import REPOSITORY, compose, dockerfile

SERVICES = compose({"POSTGRES_PASSWORD": "geheim"})["services"]
DEPLOYED = {
    name: (REPOSITORY / name).read_text()
    for name in ("docker-compose.yml", "Dockerfile", "deploy/example.env", "deploy/dagster/dagster.yaml")
}


def test_ports_are_published_on_loopback_only():
    ports = [port for told in SERVICES.values() for port in told.get("ports", [])]
    assert sorted(ports) == ["127.0.0.1:3000:3000", "127.0.0.1:8501:8501"]


@pytest.mark.parametrize("variables", [{}, {"POSTGRES_PASSWORD": ""}])
def test_no_password_has_a_default(variables):
    with pytest.raises(KeyError, match=r"copy deploy/example\.env"):
        compose(variables)
    example = dict(re.findall(r"^(\w+)=(.*)$", DEPLOYED["deploy/example.env"], re.MULTILINE))
    assert [name for name in example if "PASSWORD" in name and example[name]] == []
    assert ".env" in (REPOSITORY / ".gitignore").read_text().split()


def test_every_service_is_watched_and_started_again():
    for name, told in SERVICES.items():
        assert told["restart"] == ("on-failure:5" if name == "migrate" else "unless-stopped"), name
        assert ("healthcheck" in told) == (name != "migrate"), name
        assert set(told.get("depends_on", {})) <= set(SERVICES), name


def test_the_image_has_no_build_tools_and_no_root():
    last = DEPLOYED["Dockerfile"].rpartition("\nFROM ")[2]
    assert re.search(r"^USER nh$", last, re.MULTILINE)
    assert "pip uninstall" in last  # that of the base
    assert re.findall(r"\b(?:pip(?! uninstall)|uv|apt-get|gcc|make|curl)\b", last.replace("--yes pip ", "")) == []
    builds = [line for line in DEPLOYED["Dockerfile"].splitlines() if "uv pip install" in line]
    assert all("--require-hashes" in line or "--no-deps" in line for line in builds)


def test_the_image_is_made_of_what_is_tested():
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^[\w.-]+(?:\[[\w,-]+\])?==\S+", (REPOSITORY / name).read_text(), re.MULTILINE))

    deployed, tested = pins("requirements-deploy.lock"), pins("requirements.lock")
    assert deployed < tested
    names = {pin.partition("==")[0] for pin in deployed}
    assert {"dagster-postgres", "psycopg2-binary", "streamlit"} <= names
    assert not {"pytest", "moto", "playwright", "hatchling", "uv"} & names
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", DEPLOYED["Dockerfile"], re.MULTILINE)
    allowed = set((REPOSITORY / ".dockerignore").read_text().split("\n"))
    assert {f"!{path}" for paths in copied for path in paths.split()} <= allowed


def test_every_setting_that_is_named_exists():
    used = {name for text in DEPLOYED.values() for name in re.findall(r"\bNH_[A-Z_]+", text)}
    assert used <= {f"NH_{name.upper()}" for name in Settings.model_fields}
    assert "NH_HOME" in used


def test_variables_of_dagster_are_those_that_services_have():
    image, _ = dockerfile()
    asked = {
        name
        for path in (REPOSITORY / "deploy" / "dagster").glob("*.yaml")
        for name in re.findall(r"\{env: (\w+)\}", path.read_text())
    }
    for name in ("webserver", "daemon"):
        assert asked <= set(image) | set(SERVICES[name]["environment"]), name
    assert image["DAGSTER_EVENT_BATCH_SIZE"] == str(BATCH_SIZE)


def test_dagster_takes_one_run_at_a_time_and_tells_nobody():
    instance = yaml.safe_load(DEPLOYED["deploy/dagster/dagster.yaml"])
    assert instance["concurrency"]["runs"]["max_concurrent_runs"] == 1
    assert not instance["telemetry"]["enabled"]
    assert not instance["run_retries"]["enabled"]
