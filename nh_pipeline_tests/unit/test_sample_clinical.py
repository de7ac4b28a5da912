"""The generator of clinical deliveries: same bytes, the same content in every form, labels, homes of CMS's files."""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from nh_pipeline.sample import Deliveries
from nh_pipeline.sample.clinical import (
    ClinicalTruth,
    clinical_truth,
    write_clinical,
)
from nh_pipeline.sample.clinical.places import CCN_SYSTEM, NPI_SYSTEM, npi
from nh_pipeline.sample.clinical.stories import STORIES
from nh_pipeline_tests.support import fhir_by_hand as by_hand
from nh_pipeline_tests.support.fhir_by_hand import Delivered

if TYPE_CHECKING:
    from pathlib import Path

FORMS = tuple(itertools.product(("ndjson", "bundles"), (False, True)))
PATIENTS = 2 * len(STORIES)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> dict[tuple[str, bool], tuple[Path, ClinicalTruth]]:
    """All forms of the same deliveries: folder and truth."""
    out = tmp_path_factory.mktemp("clinical")
    found = {}
    for form, zipped in FORMS:
        folder = out / f"{form}-{zipped}"
        found[form, zipped] = folder, write_clinical(folder, patients=PATIENTS, form=form, zipped=zipped)
    return found


@pytest.fixture(scope="module")
def delivered(written) -> dict[tuple[str, bool], Delivered]:
    return {form: Delivered.read(sorted(folder.glob("dt=*"))) for form, (folder, _) in written.items()}


def fingerprint(folder: Path) -> dict[str, tuple[str, float]]:
    return {
        str(path.relative_to(folder)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime)
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".README.txt"
    }


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_same_arguments_give_same_bytes_and_times(form, written, tmp_path):
    folder, truth = written[form]
    again = write_clinical(tmp_path, patients=PATIENTS, form=form[0], zipped=form[1])
    assert again == truth == clinical_truth(patients=PATIENTS, form=form[0])
    assert fingerprint(tmp_path) == fingerprint(folder)
    write_clinical(tmp_path, patients=PATIENTS, form=form[0], zipped=form[1])
    assert fingerprint(tmp_path) == fingerprint(folder)
    write_clinical(tmp_path / "other", cms=Deliveries(seed=8), patients=PATIENTS, form=form[0], zipped=form[1])
    other = fingerprint(tmp_path / "other")
    assert other.keys() == fingerprint(folder).keys()
    assert other != fingerprint(folder)


def test_all_forms_hold_the_same(delivered):
    def content(found: Delivered) -> Counter[str]:
        return Counter(json.dumps(each, sort_keys=True, default=str) for each in found.versions)

    first, *others = delivered.values()
    assert len(first.versions) > 30 * PATIENTS
    for other in others:
        assert content(other) == content(first)
        assert sorted(other.deleted) == sorted(first.deleted)


def test_every_reference_resolves_within_all_files(delivered):
    for found in delivered.values():
        known = {by_hand.key(each) for each in found.versions}
        references = set(found.references())
        assert len(references) > 10 * PATIENTS
        assert references <= known
        identifiers = {
            (identifier["system"], identifier["value"])
            for each in found.versions
            for identifier in each.get("identifier", ())
        }
        logical = [
            element["identifier"]
            for each in found.versions
            for element in (each.get("managingOrganization"), each.get("practitioner"), each.get("organization"))
            if element and "identifier" in element
        ]
        assert logical
        assert {(each["system"], each["value"]) for each in logical} <= identifiers
        assert set(found.deleted) <= known


def test_references_are_written_as_each_form_does(written):
    def starts(form: str, day: str) -> set[str]:
        text = "".join(text for _, text in by_hand.contents(written[form, False][0] / f"dt={day}"))
        return {re.split(r"[:/=]", ref)[0] for ref in re.findall(r'"reference":"([^"]+)"', text)}

    shared = {"Organization", "Practitioner", "Location"}
    patient_types = {"Patient", "Encounter", "Condition", "Claim", "Coverage", "MedicationRequest"}
    conditional = {f"{kind}?identifier" for kind in shared}
    assert starts("ndjson", "2024-07-09") == {"#coverage", *shared, *patient_types}
    assert starts("bundles", "2024-07-09") == {"#coverage", "urn", *conditional}
    # What is not in the Bundle is on the server already.
    assert starts("bundles", "2024-07-23") == {"#coverage", "urn", *conditional, *patient_types - {"MedicationRequest"}}
    entries = json.loads((written["bundles", False][0] / "dt=2024-07-09" / "person-000001.json").read_text())["entry"]
    assert {entry["fullUrl"] == f"urn:uuid:{entry['resource']['id']}" for entry in entries} == {True, False}


def test_everything_is_labelled_and_nobody_is_real(delivered, written):
    found = delivered["ndjson", False]
    for each in found.versions:
        assert [tag["code"] for tag in each["meta"]["tag"]] == ["generated"]
    patients = [each for each in found.versions if each["resourceType"] == "Patient"]
    assert len(patients) == PATIENTS
    for each in patients:
        assert re.fullmatch(r"Generated Person \d+", each["name"][0]["text"])
        (ssn,) = (one["value"] for one in each["identifier"] if one["system"].endswith("us-ssn"))
        assert re.fullmatch(r"000-\d\d-\d{4}", ssn)
    for folder, _ in written.values():
        assert "Generated sample data" in (folder / ".README.txt").read_text()
    for name, text in by_hand.contents(written["bundles", False][0] / "dt=2024-07-09"):
        assert json.loads(text)["meta"]["tag"][0]["code"] == "generated", name


def test_npis_have_check_digits_and_are_nobodys(delivered):
    numbers = [
        identifier["value"]
        for each in delivered["ndjson", False].versions
        for identifier in each.get("identifier", ())
        if identifier["system"] == NPI_SYSTEM
    ]
    assert len(numbers) == len(set(numbers)) > 30
    for number in [*numbers, "1234567893"]:  # the example of the standard
        digits = [int(digit) for digit in "80840" + number]
        doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
        assert (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
    assert all(number.startswith("9") for number in numbers)
    assert npi(1) != npi(2)


@pytest.fixture(scope="module")
def homes(delivered, tmp_path_factory) -> dict[str, str]:
    """Organization to certification number, by name and address in the generated Provider Information."""
    Deliveries(releases=1).release(out := tmp_path_factory.mktemp("cms"), 0)
    with next(out.glob("NH_ProviderInfo_*")).open(encoding="cp1252", newline="") as file:
        rows = list(csv.DictReader(file))
    by_address = {(row["Provider Name"], row["Provider Address"], row["ZIP Code"]): row for row in rows}
    assert len(by_address) == len(rows)
    found = {}
    for each in delivered["ndjson", False].versions:
        if each["resourceType"] == "Organization" and "address" in each:
            (address,) = each["address"]
            row = by_address.get((each["name"], address["line"][0], address["postalCode"]))
            (ccn,) = [one["value"] for one in each["identifier"] if one["system"] == CCN_SYSTEM] or [None]
            if row:
                found[by_hand.key(each)] = row["CMS Certification Number (CCN)"]
            assert ccn in {None, found.get(by_hand.key(each))}
    return found


def test_homes_are_those_of_the_provider_file(homes, delivered):
    numbers = Counter(
        identifier["system"] == CCN_SYSTEM
        for each in delivered["ndjson", False].versions
        if by_hand.key(each) in homes
        for identifier in each["identifier"]
    )
    assert len(set(homes.values())) == 12
    assert numbers[True] == 8  # the others are known by name and address only


def test_few_of_a_files_lines_are_broken(tmp_path):
    write_clinical(tmp_path, patients=1, homes=1)
    lines = (tmp_path / "dt=2024-07-23" / "Observation.000.ndjson").read_text().splitlines()
    truth = write_clinical(tmp_path, patients=1, homes=1)
    assert 0 < truth.rejected < len(lines) / 20


def test_written_as_real_ones_are(written):
    day = written["ndjson", False][0] / "dt=2024-07-09"
    observations = (day / "Observation.000.ndjson").read_text()
    assert all(f'"value":{text},' in observations for text in ("0.10", "1.00", "0.0006"))
    encounters = (day / "Encounter.000.ndjson").read_text()
    assert {"-06:00", "-05:00"} == set(re.findall(r"T[\d:]{8}([+-][\d:]{5})", encounters))
    assert re.search(r'"period":{"start":"\d{4}","end":"\d{4}"}', encounters)
    assert re.search(r'"period":{"start":"\d{4}-\d\d","end":"\d{4}-\d\d"}', encounters)
    noise = re.findall(
        r'"payment":{"amount":{"value":(\d+\.\d{5,})', (day / "ExplanationOfBenefit.000.ndjson").read_text()
    )
    assert noise
    patients = [json.loads(line) for line in (day / "Patient.000.ndjson").read_text().splitlines()]
    assert {len(each["birthDate"]) for each in patients} == {4, 7, 10}
    logs = [(day.with_name(name) / "log.ndjson").read_text().splitlines() for name in (day.name, "dt=2024-07-23")]
    assert json.loads(logs[0][1])["eventDetail"]["transactionTime"] == "2024-07-09T06:00:00Z"
    assert "_since" not in logs[0][0]
    assert json.loads(logs[1][0])["eventDetail"]["requestParameters"] == {"_since": "2024-07-09T06:00:00Z"}
    for path in sorted(day.glob("*.ndjson")):
        for found in re.findall(r'"lastUpdated":"([^"]+)"', path.read_text()):
            assert found < "2024-07-09"


def test_stories_differ(written):
    assert len({story.title for story in STORIES}) == len(STORIES) == 17
    with pytest.raises(ValueError, match="at least one patient"):
        write_clinical(written["ndjson", False][0], patients=0)
