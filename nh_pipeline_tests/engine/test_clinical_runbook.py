"""Situations of the runbook: what is said is what its page quotes, and what it says to do puts it right.

What AWS denies, and what is protected, is tried where the rest of it is (test_aws_check, test_protected).
"""

from __future__ import annotations

import hashlib
import json
import shlex
import subprocess
from itertools import islice

import pytest

from nh_pipeline.domains import VARIABLE
from nh_pipeline.marts.clinical.dim_patients import DIM_PATIENTS
from nh_pipeline.marts.clinical.directory import DIRECTORY
from nh_pipeline.marts.clinical.id_conflicts import ID_CONFLICTS
from nh_pipeline.marts.clinical.unresolved_references import UNRESOLVED_REFERENCES
from nh_pipeline.pipeline import recipe
from nh_pipeline_tests.support import chain, fhir
from nh_pipeline_tests.support.local import Nh
from nh_pipeline_tests.support.runbook import CLINICAL, not_said

pytestmark = [pytest.mark.integration, pytest.mark.every_mart]

ELSEWHERE = {"Something protected may be in a log", "Access is denied"}
MARTS = {table.name for table in (ID_CONFLICTS, DIRECTORY, UNRESOLVED_REFERENCES, DIM_PATIENTS)}
EXPORT, LATER = "dt=2024-08-06/export.ndjson", "dt=2024-08-07/export.ndjson"


def id_of(content):
    """The id of a delivery."""
    return hashlib.md5(content).hexdigest()  # noqa: S324


class Site:
    """A lake that all situations share, and a folder of each one's own that exports are delivered to."""

    def __init__(self, workspace, drop):
        self.workspace, self.drop, self.nh = workspace, drop, Nh(workspace.lake.root)

    def put(self, name, content):
        path = self.drop / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def deliver(self, name, content, exits=0):
        self.put(name, content)
        return self.nh("ingest", self.drop, exits=exits).output

    def follow(self, title, id_=""):
        """What the commands of an entry say; it builds together with all other situations."""
        said = []
        for command in CLINICAL[title].commands:
            program, *words = shlex.split(command)
            if program != "nh":
                subprocess.run(command, shell=True, check=True, cwd=self.drop.parent, timeout=60)  # noqa: S602
            elif words == ["materialize"]:
                yield
            else:
                words = [{"ID": id_[:12], "drop": str(self.drop)}.get(word, word) for word in words]
                said.append(self.nh(*words).output)
        return "".join(said)

    @property
    def status(self):
        return self.nh("status").output

    def rows(self, table, column, value):
        return [row for row in chain.rows(self.workspace.lake, table) if row[column] == value]

    def version_of(self, patient):
        """The patient in silver, if it is there."""
        return next(iter(self.rows(DIM_PATIENTS, "patient_id", patient)), None)


# A situation is brought about; at each yield, all that is stale is built; it returns what was said.


def some_lines_are_refused(site, title):
    people, wrong = [fhir.patient(f"some{n}") for n in range(20)], fhir.patient("wrong")
    site.deliver(EXPORT, fhir.ndjson([*people, json.dumps(wrong)[:-9], people[0]]))
    yield
    assert not site.version_of("wrong")
    site.put(LATER, fhir.ndjson([*people, wrong]))
    said = yield from site.follow(title)
    assert site.version_of("wrong")
    assert site.version_of("some0")["n_versions"] == 2
    return said


def many_lines_are_refused(site, title):
    name = "dt=2024-08-06/day.ndjson"
    good = [fhir.patient(f"many{n}") for n in range(3)]
    bad = fhir.ndjson(["{", *good])
    site.deliver(name, bad)
    said = site.status
    yield
    assert not site.version_of("many1")
    site.put(name, fhir.ndjson(good))
    yield from site.follow(title, id_of(bad))
    assert site.version_of("many1")
    assert "day.ndjson (2024-08-06): 1 of 4" not in site.status
    return said


def an_end_is_cut_off(site, title):
    cut = fhir.ndjson(fhir.patient(f"cut{n}") for n in range(4))[:-20]
    site.deliver("dt=2024-08-06/evening.ndjson", cut)
    said = site.status
    yield from site.follow(title, id_of(cut))
    assert site.version_of("cut2")
    assert not site.version_of("cut3")
    return said


def too_many_would_be_gone(site, title):
    names = [f"s{n}" for n in range(4)]  # of a system of their own: a complete export concerns that alone
    after = fhir.full_export("2024-08-07", names[:2])
    site.put("source=sold/before.zip", fhir.full_export("2024-08-06", names))
    site.deliver("source=sold/after.zip", after)
    said = site.status
    yield
    assert site.version_of("sold:s3")
    yield from site.follow(title, id_of(after))
    assert site.version_of("sold:s1")
    assert not site.version_of("sold:s3")
    return said


def a_bundle_is_in_quarantine(site, title):
    name, good = "dt=2024-08-06/bundle.json", fhir.bundle([fhir.patient("bundled")])
    site.deliver(name, good[:-30], exits=3)
    said = site.status
    site.put(name, good)
    yield from site.follow(title, id_of(good[:-30]))
    assert site.version_of("bundled")
    return said


def an_array_is_in_quarantine(site, title):
    site.deliver("array.json", json.dumps([fhir.patient("listed")]).encode(), exits=3)
    said = site.status
    yield from site.follow(title)
    assert site.version_of("listed")
    return said


def an_older_release(site, title):
    older = fhir.ndjson([{"resourceType": "Encounter", "id": "o", "reason": [{"coding": [{"code": "1"}]}]}])
    site.deliver("old.ndjson", older, exits=3)
    return (yield from site.follow(title, id_of(older)))


def an_unknown_type_or_element(site, title):
    site.deliver(EXPORT, fhir.ndjson([{"resourceType": "Starship", "id": "s", "crew": 2}]))
    yield
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe, "EXPORT", "with a view that is new")
        recipe.forget_recipes()
        said = site.nh("materialize", "--dry-run").output
    recipe.forget_recipes()
    shown = yield from site.follow(title)
    assert {"Starship,1", "Starship,crew"} <= set(shown.splitlines())
    return said


def a_day_is_missing(site, title):
    content = fhir.ndjson([fhir.patient("undated")])
    said = site.deliver("undated.ndjson", content)
    log = b'{"exportId":"x","transactionTime":"2024-08-06T18:00:00Z"}\n'
    yield
    following = site.follow(title, id_of(content))
    yield from islice(following, 1)
    assert site.version_of("undated")["dt"].isoformat() == "2024-08-06"
    site.put("dated.zip", fhir.zipped({"undated.ndjson": content, "log.ndjson": log}))
    yield from following
    patient = site.version_of("undated")
    assert (patient["dt"].isoformat(), patient["n_versions"]) == ("2024-08-06", 1)
    return said


def clinicians_come_late(site, title):
    site.deliver(EXPORT, fhir.ndjson([fhir.patient("p1"), fhir.encounter("late", "p1", **fhir.performed_by("1"))]))
    yield
    site.put("dt=2024-08-06/clinicians.ndjson", fhir.ndjson([fhir.practitioner("d", "1")]))
    said = yield from site.follow(title)
    assert site.rows(UNRESOLVED_REFERENCES, "resource_id", "late") == []
    return said


def an_id_means_several_patients(site, title):
    twins = [fhir.encounter("shared", of) for of in ("p1", "p2")]
    both = fhir.ndjson(twins)
    site.deliver(EXPORT, both)
    yield
    site.put(LATER, fhir.ndjson(twins[:1]))
    said = yield from site.follow(title)
    taken_out = {(row["delivery_id"], row["patient_id"]) for row in site.rows(ID_CONFLICTS, "resource_id", "shared")}
    assert taken_out == {(id_of(both), "p1"), (id_of(both), "p2")}  # of the later delivery, nothing is
    return said


def an_export_comes_twice(site, title):
    site.put(EXPORT, fhir.ndjson([fhir.patient("twice")]))
    site.deliver("dt=2024-08-07/again.json", fhir.bundle([fhir.patient("twice")]))
    yield
    said = yield from site.follow(title)
    (patient,) = site.rows(DIM_PATIENTS, "patient_id", "twice")
    assert patient["n_versions"] == 2
    return said


TRIED = {
    "Some lines are refused": some_lines_are_refused,
    "A delivery is held: many lines are refused": many_lines_are_refused,
    "A delivery is held: its end is cut off": an_end_is_cut_off,
    "A delivery is held: too many patients would be gone": too_many_would_be_gone,
    "A Bundle is in quarantine": a_bundle_is_in_quarantine,
    "An array is in quarantine": an_array_is_in_quarantine,
    "An older release of FHIR": an_older_release,
    "A type or an element that nobody knows": an_unknown_type_or_element,
    "The day of an export is missing": a_day_is_missing,
    "References lead nowhere, or clinicians come late": clinicians_come_late,
    "One id means several patients": an_id_means_several_patients,
    "An export comes twice": an_export_comes_twice,
}


@pytest.fixture(scope="module")
def said(engine, tmp_path_factory):
    """What was said in each situation, or what went wrong in it; all of them go forward together, for few builds."""
    folder = tmp_path_factory.mktemp("runbook")
    workspace, told = chain.workspace_at(folder / "lake", engine), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, "clinical")
        waiting = {}
        for nth, (title, tried) in enumerate(TRIED.items()):
            drop = folder / f"{nth}" / "drop"
            drop.mkdir(parents=True)
            waiting[title] = tried(Site(workspace, drop), title)
        while waiting:
            for title, situation in list(waiting.items()):
                try:
                    next(situation)
                except StopIteration as ended:
                    told[title] = ended.value
                except AssertionError as error:
                    told[title] = error
                if title in told:
                    del waiting[title]
            chain.whole(workspace, lambda stale: stale.table.name in MARTS or stale.table.database == "clinical_bronze")
    return told


@pytest.mark.parametrize("title", TRIED)
def test_a_situation(said, title):
    found = said[title]
    if isinstance(found, AssertionError):
        raise found
    assert not_said(CLINICAL[title].seen, found) == [], found


def test_every_entry_is_tried():
    assert {*TRIED, *ELSEWHERE} == set(CLINICAL)
    assert all(entry.commands for entry in CLINICAL.values())
    assert all(CLINICAL[title].seen for title in TRIED)
