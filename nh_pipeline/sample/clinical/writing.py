"""Files of an export: transaction Bundles or bulk NDJSON, loose or in one zip archive."""

from __future__ import annotations

import os
import shutil
import zipfile
from contextlib import ExitStack
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING

from nh_pipeline.sample.clinical.chain import BROKEN
from nh_pipeline.sample.clinical.fhir import TAG, encode, from_bundle, full_url, relative
from nh_pipeline.sample.periods import timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nh_pipeline.sample.clinical.chain import Chain, Form, Group
    from nh_pipeline.sample.clinical.fhir import Ref, Resource

_SHARED = ("Organization", "Location", "Practitioner", "PractitionerRole")


def write_export(out: Path, chain: Chain, export: int, form: Form, *, zipped: bool) -> list[Path]:
    """Writes an export into a folder of its day, ``dt=2024-07-09``.

    Returns:
        Paths of the files, sorted by name.
    """
    day = chain.day(export)
    folder = out / f"dt={day}"
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out) as unfinished:
        work = Path(unfinished)
        write = _write_bundles if form == "bundles" else _write_ndjson
        write(work, chain.groups(export), export)
        written = sorted(work.iterdir())
        if form == "ndjson":
            written.append(work / "log.ndjson")
            written[-1].write_text(_log(chain, export, len(written) - 1), encoding="utf-8")
        if zipped:
            paths = [_zipped(written, folder / f"fhir_export_{day}.zip", timestamp(day))]
        else:
            paths = [path.replace(folder / path.name) for path in written]
    if form == "bundles" and export > 1:  # beside the archive, which would be refused as a whole
        for number, text in enumerate(BROKEN):
            paths.append(folder / f"broken-{number}.json")
            paths[-1].write_text('{"resourceType":"Bundle","type":"transaction","entry":[{"resource":' + text)
    for path in paths:
        os.utime(path, (timestamp(day), timestamp(day)))
    return sorted(paths)


def _write_bundles(folder: Path, groups: Iterable[Group], export: int) -> None:
    """One file for each group that is not empty."""
    for group in groups:
        resources = list(group.resources)
        entries = [*(_entry(each, export) for each in resources), *map(_deletion, group.deleted)]
        if entries:
            refer = partial(from_bundle, entries={each["id"] for each in resources})
            bundle = {"resourceType": "Bundle", "meta": {"tag": [TAG]}, "type": "transaction", "entry": entries}
            (folder / f"{group.name}.json").write_text(encode(bundle, refer) + "\n", encoding="utf-8")


def _entry(each: Resource, export: int) -> Resource:
    kind, resource_id = each["resourceType"], each["id"]
    request = {"method": "POST", "url": kind}
    if kind in _SHARED and "identifier" in each:  # sent with every transaction, to be made only once
        system, value = (each["identifier"][0][part] for part in ("system", "value"))
        request["ifNoneExist"] = f"identifier={system}|{value}"
    elif export > 1:
        request = {"method": "PUT", "url": f"{kind}/{resource_id}"}
    return {"fullUrl": full_url(resource_id), "resource": each, "request": request}


def _deletion(ref: Ref) -> Resource:
    return {"request": {"method": "DELETE", "url": relative(ref)}}


def _write_ndjson(folder: Path, groups: Iterable[Group], export: int) -> None:
    """One file for each resource type, and one of deletions."""
    with ExitStack() as stack:
        files: dict[str, IO[str]] = {}
        for kind, line in _lines(groups):
            if kind not in files:
                path = folder / f"{kind}.000.ndjson"
                files[kind] = stack.enter_context(path.open("w", encoding="utf-8", newline=""))
                if kind == "Observation" and export > 1:
                    files[kind].writelines(f"{text}\n" for text in BROKEN)
            files[kind].write(line + "\n")


def _lines(groups: Iterable[Group]) -> Iterator[tuple[str, str]]:
    for group in groups:
        for each in group.resources:
            yield each["resourceType"], encode(each, relative)
        for ref in group.deleted:
            entry = [_deletion(ref)]
            bundle = {"resourceType": "Bundle", "meta": {"tag": [TAG]}, "type": "transaction", "entry": entry}
            yield "deleted", encode(bundle, relative)


def _log(chain: Chain, export: int, files: int) -> str:
    """The export's own log, by which its time is known, and that the second has only what is new since the first."""
    when = f"{chain.day(export)}T06:00:00Z"
    asked = {"requestParameters": {"_since": f"{chain.day(1)}T06:00:00Z"}} if export > 1 else {}
    details: dict[str, Resource] = {
        "kickoff": {"exportUrl": "https://fhir.example.org/Group/generated/$export", **asked},
        "status_complete": {"transactionTime": when},
        "manifest_complete": {"transactionTime": when, "totalOutputFileCount": files},
    }
    lines = (
        {"exportId": "generated", "timestamp": when, "eventId": event, "eventDetail": detail}
        for event, detail in details.items()
    )
    return "".join(encode(line, relative) + "\n" for line in lines)


def _zipped(paths: Iterable[Path], archive: Path, modified: float) -> Path:
    """Puts the files into an archive, whose members have its business date."""
    stamp = datetime.fromtimestamp(modified, tz=timezone.utc).timetuple()[:6]
    with zipfile.ZipFile(archive, "w") as packed:
        for path in paths:
            member = zipfile.ZipInfo(path.name, stamp)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.create_system, member.external_attr = 3, 0o644 << 16  # the same bytes whatever system writes them
            with path.open("rb") as content, packed.open(member, "w", force_zip64=True) as stream:
                shutil.copyfileobj(content, stream)
    return archive
