"""Nothing protected leaks: names and numbers of people are planted, and looked for in all that is told of a lake."""

from __future__ import annotations

import json
import os
import shlex
import sqlite3
import subprocess

import pytest

from nh_pipeline.domains import VARIABLE
from nh_pipeline.model.rules import Rule
from nh_pipeline.queries.duck import connect
from nh_pipeline.tables import table
from nh_pipeline_tests.support import fhir
from nh_pipeline_tests.support.local import Nh
from nh_pipeline_tests.support.runbook import CLINICAL

pytestmark = [
    pytest.mark.integration,
    pytest.mark.at_length,
    pytest.mark.every_mart,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

NAME, NUMBER, TELEPHONE, STREET = "Zephyrleak", "000-00-4711", "555-0142", "Quillroad"
SECRETS = (NAME, NUMBER, TELEPHONE, STREET)
OF_A_PERSON = {
    "name": [{"family": NAME, "given": [NAME]}],
    "identifier": [{"system": "http://hl7.org/fhir/sid/us-ssn", "value": NUMBER}],
    "telecom": [{"system": "phone", "value": TELEPHONE}],
    "address": [{"line": [f"1 {STREET}"], "city": "Salem", "state": "MA", "postalCode": "01970"}],
    "contact": [{"name": {"family": NAME}}],
}
ONLY = ("clinical_bronze.resource", "resource")
"""Where it may be: the resource as it was delivered."""


def person(i):
    return fhir.patient(i, **OF_A_PERSON)


def of_a_person(resource):
    """A reference that also says the patient's name, as many systems write it, and one by the patient's number."""
    subject = {**resource["subject"], "display": NAME}
    text = {"status": "generated", "div": f"<div>{NAME} {NUMBER}</div>"}
    return {**resource, "subject": subject, "text": text}


def deliveries(folder):
    """One that counts with some bad lines, one that is held, one that goes to quarantine, one with odd references."""
    folder.mkdir()
    people = [person(f"p{i}") for i in range(60)]
    stays = [of_a_person(fhir.encounter(f"e{i}", f"p{i}")) for i in range(60)]
    by_number = fhir.encounter("odd", "p1")
    by_number["subject"] = {"reference": f"Patient?identifier=http://hl7.org/fhir/sid/us-ssn|{NUMBER}", "display": NAME}
    twice = [{**stays[0], "id": "shared"}, {**stays[1], "id": "shared"}]  # one id, two patients: a collision
    bad = [f'{{"resourceType":"Patient","id":"x","name":"{NAME} {NUMBER}",', json.dumps(person("")), f"{NAME} {NUMBER}"]
    (folder / "a.ndjson").write_bytes(fhir.ndjson([*bad, *people, *stays, by_number, *twice]))
    (folder / "held.ndjson").write_bytes(fhir.ndjson([*bad, person("h1")]))
    (folder / "cut.json").write_bytes(fhir.bundle(people)[:-9])
    (folder / "array.json").write_bytes(json.dumps(people).encode())


def found_in(text):
    return [secret for secret in SECRETS if secret in text]


def told(lake):
    """All texts in tables, but for the resources, by table and column."""
    with connect(lake) as db:
        columns = db.execute(
            "select table_schema, table_name, column_name from information_schema.columns where data_type = 'VARCHAR'"
        ).fetchall()
        for schema, name, column in columns:
            if (f"{schema}.{name}", column) != ONLY:
                values = db.execute(f'select string_agg(distinct "{column}", chr(10)) from {schema}.{name}').fetchone()
                yield f"{schema}.{name}.{column}", values[0] or ""


def stored(home):
    """The texts of all files of a lake but deliveries and data, those in Dagster's databases included."""
    for path in sorted(p for p in home.rglob("*") if p.is_file()):
        relative = path.relative_to(home).as_posix()
        if relative.endswith((".ndjson", "delivery.json", "delivery.csv", ".parquet")):
            continue
        yield relative, path.read_bytes().decode("utf-8", "replace")
        if path.suffix == ".db":
            with sqlite3.connect(path) as db:
                for (name,) in db.execute("select name from sqlite_master where type = 'table'").fetchall():
                    yield f"{relative}: {name}", str(db.execute(f'select * from "{name}"').fetchall())


@pytest.fixture(scope="module")
def leaking(tmp_path_factory):
    """A lake of such deliveries, and all that ``nh`` said; of one table the gate refused every row."""
    folder = tmp_path_factory.mktemp("protected")
    deliveries(folder / "drop")
    nh = Nh(folder / "lake")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, "clinical")
        broken = (Rule("nobody_is_right", "patient_id is null", "a rule that every row breaks"),)
        patch.setitem(table("clinical_silver.dim_patients").__dict__, "rules", broken)
        said = [nh("run", folder / "drop", exits=1).output]
        patch.undo()
        patch.setenv(VARIABLE, "clinical")
        commands = (("status",), ("status", "--json"), ("materialize", "--dry-run"), ("quarantine", "list"))
        said += [nh(*command).output for command in commands]
        said.append(nh("run", folder / "drop", exits=3).output)
        ids = json.loads(nh("quarantine", "list", "--json").stdout)
        said += [nh("quarantine", "show", entry["id"]).output for entry in ids]
        assert len(ids) == 3
        yield nh, said


def test_it_is_in_the_resources_alone(leaking):
    nh, _ = leaking
    with connect(nh.lake) as db:
        kept = db.execute("select string_agg(resource, '') from clinical_bronze.resource").fetchone()[0]
    assert found_in(kept) == list(SECRETS)
    assert {name: found for name, text in told(nh.lake) if (found := found_in(text))} == {}


def test_it_is_in_no_file_beside_deliveries_and_tables(leaking):
    nh, _ = leaking
    assert {name: found for name, text in stored(nh.home) if (found := found_in(text))} == {}


def test_it_is_in_nothing_that_nh_says(leaking):
    _, said = leaking
    assert {text for text in said if found_in(text)} == set()
    assert any("nobody_is_right" in text for text in said)


def test_whoever_looks_for_it_as_the_runbook_says_finds_nothing(leaking):
    nh, _ = leaking
    search, query = (line.replace("NAME", NAME) for line in CLINICAL["Something protected may be in a log"].commands)

    def printed(command):
        asked = {"capture_output": True, "text": True, "timeout": 60, "env": {**os.environ, "NH_HOME": str(nh.home)}}
        return subprocess.run(command, shell=True, check=False, **asked).stdout  # noqa: S602

    assert printed(search) == ""
    assert "delivery" in printed(search.partition(" --exclude")[0])
    assert nh(*shlex.split(query)[1:]).stdout.split() == ["n", "0"]


def test_samples_show_keys_alone(leaking):
    nh, _ = leaking
    with nh.instance as instance:
        logged = (e.dagster_event for run in instance.get_runs() for e in instance.all_logs(run.run_id))
        logs = [str(event.event_specific_data) for event in logged if event]
    samples = [text for text in logs if "nobody_is_right" in text]
    assert samples
    assert not any("1940-05-01" in text for text in samples)
