"""FHIR resources as deliveries, and what is read of them."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from datetime import date, datetime, timezone
from functools import reduce

from nh_pipeline.landing.about import About
from nh_pipeline.landing.fhir import Extraction
from nh_pipeline.landing.fhir import survey as surveyed
from nh_pipeline.landing.fhir.paths import At, Name, choice_key, parse

MODIFIED = datetime(2024, 8, 7, 1, 2, 3, tzinfo=timezone.utc)
ABOUT = About(
    delivery_id="0123456789abcdef0123456789abcdef",
    name="export.ndjson",
    dt=date(2024, 8, 6),
    exported_at=datetime(2024, 8, 6, 18, tzinfo=timezone.utc),
    modified_at=MODIFIED,
)


def resource(of, of_id=None, **elements):
    return {"resourceType": of, **({"id": of_id} if of_id else {}), **elements}


def patient(of_id="p1", **elements):
    return resource("Patient", of_id, **elements)


def observation(of_id="o1", *, of="Patient/p1", **elements):
    return resource("Observation", of_id, subject={"reference": of}, **elements)


def ndjson(*resources, end="\n"):
    """Resources, or lines as they are, as lines."""
    return end.join([*(one if isinstance(one, str) else json.dumps(one) for one in resources), ""]).encode()


def entry(of=None, *, url=None, **elements):
    of_id = of and of.get("id")
    return {"fullUrl": url or f"urn:uuid:{of_id}", **({"resource": of} if of else {}), **elements}


def bundle(*entries, of_type="transaction", **elements):
    """Entries as a Bundle; a resource is one of its own."""
    made = [entry(one) if "resourceType" in one else one for one in entries]
    return {"resourceType": "Bundle", "type": of_type, **elements, "entry": made}


def document(of, *, indent=2):
    return json.dumps(of, indent=indent).encode()


def zipped(**files):
    return zipped_as({name.replace("__", "."): content for name, content in files.items()})


def zipped_as(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def gzipped(content):
    return gzip.compress(content, mtime=0)


def extracted(content, about=ABOUT):
    """The rows of every table that a delivery becomes, by the table's short name, and the extraction."""
    extraction, rows = Extraction(about), {}
    for table, bucket, batch in extraction.batches(io.BytesIO(content)):
        assert batch.schema == table.arrow
        if "patient_bucket" in table.names:
            assert set(batch.column("patient_bucket").to_pylist()) == {bucket}
        rows.setdefault(table.short, []).extend(batch.to_pylist())
    return rows, extraction


def rows(content, table, about=ABOUT):
    """The rows of a table in the order of the delivery; batches come by buckets."""
    return sorted(extracted(content, about)[0].get(table, []), key=lambda row: (row["member"], row["source_line"]))


def row(content, table, about=ABOUT):
    (only,) = rows(content, table, about)
    return only


def survey(content, name="export.ndjson", **more):
    return surveyed(io.BytesIO(content), name, **{"modified_at": MODIFIED, **more})


def nested(names, inner):
    return reduce(lambda made, name: {name: made}, reversed(names), inner)


def having(view, field, written):
    """A resource that has one thing at a path of a field, and is a row."""
    path = parse(written)
    made = {
        "value": "x",
        "count": "x",
        "choice": {},
        "concept": {"coding": [{"system": "s", "code": "c"}]},
        "reference": {"reference": f"{field.to[0] if field.to else ''}/1"},
    }[field.form]
    for step in reversed(path.steps):
        if isinstance(step, Name):
            made = {choice_key(step.name, "Quantity") if made == {} else step.name: made}
        elif isinstance(step, At):
            made = [made] * (step.index + 1)
        else:
            is_text = not (step.text.isdecimal() or step.text in ("true", "false"))
            kept = nested(step.path, step.text if is_text else json.loads(step.text))
            made = [{**one, **kept} for one in (made if isinstance(made, list) else [made])]
    each = [step.name for step in parse(view.for_each[0]).steps] if view.for_each else []
    if path.root == 0:
        made = nested(each, {"id": "1", **made})  # nothing but an extension is no element to some
    else:
        above = each[:-1] if path.root == 2 else []
        made = nested(above, {**nested(each[len(above) :], {}), **made})
    return {**made, "dataAbsentReason": {"text": "?"}} if view.only_with else made
