"""FHIR deliveries read in plain Python, slow and obvious: versions, deletions and references of some exports."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

Resource = dict[str, Any]


def contents(folder: Path) -> Iterator[tuple[str, str]]:
    """Name and text of every file of an export, those of archives among them, but not the export's log."""
    for path in sorted(folder.iterdir()):
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                yield from ((name, archive.read(name).decode()) for name in archive.namelist() if name != "log.ndjson")
        elif path.name != "log.ndjson":
            yield path.name, path.read_text(encoding="utf-8")


def parsed(text: str) -> Resource | None:
    """JSON whose numbers keep their text; None if it is none."""

    def no(constant: str) -> None:
        raise ValueError(constant)

    try:
        found: Resource = json.loads(text, parse_float=Decimal, parse_constant=no)
    except ValueError:
        return None
    return found


@dataclass
class Delivered:
    """What some exports hold.

    Attributes:
        versions: Resources in order of arrival; references as ``Type/id`` where they resolve.
        deleted: ``Type/id`` of all deletions.
        rejected: Lines or entries that cannot be read.
        quarantined: Bundles that cannot be read.
    """

    versions: list[Resource] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    rejected: int = 0
    quarantined: int = 0

    @classmethod
    def read(cls, folders: Iterable[Path]) -> Delivered:
        """Of the folders, in order."""
        found = cls()
        for folder in folders:
            for name, text in contents(folder):
                if name.endswith(".ndjson"):
                    for line in text.splitlines():
                        found._line(parsed(line))
                else:
                    found._bundle(parsed(text))
        index = {
            f"{each['resourceType']}?identifier={identifier['system']}|{identifier['value']}": key(each)
            for each in found.versions
            for identifier in each.get("identifier", ())
        }
        found.versions = [_linked(each, index) for each in found.versions]
        return found

    def _line(self, line: Resource | None) -> None:
        if line is None:
            self.rejected += 1
        elif line["resourceType"] == "Bundle":
            self._bundle(line)
        else:
            self._resource(line)

    def _bundle(self, bundle: Resource | None) -> None:
        if bundle is None:
            self.quarantined += 1
            return
        urls = {entry["fullUrl"]: key(entry["resource"]) for entry in bundle["entry"] if "resource" in entry}
        for entry in bundle["entry"]:
            if entry["request"]["method"] == "DELETE":
                self.deleted.append(entry["request"]["url"])
            else:
                self._resource(_linked(entry["resource"], urls))

    def _resource(self, resource: Resource) -> None:
        if sum(name.startswith("value") for name in resource) > 1:
            self.rejected += 1
        else:
            self.versions.append(resource)

    def references(self) -> Iterator[str]:
        """All of them, contained ones apart."""
        for each in self.versions:
            yield from (ref for ref in _references(each) if not ref.startswith("#"))

    def current(self) -> dict[str, Resource]:
        """The latest version of what is neither deleted, nor entered in error, nor of a deleted patient, by key."""
        latest: dict[str, Resource] = {}
        for each in self.versions:
            if key(each) not in latest or _written(each) >= _written(latest[key(each)]):
                latest[key(each)] = each
        gone = set(self.deleted)
        return {
            name: each
            for name, each in latest.items()
            if name not in gone and patient_of(each) not in gone and not is_erroneous(each)
        }


def key(resource: Resource) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def patient_of(resource: Resource) -> str:
    return next((resource[name]["reference"] for name in ("subject", "patient", "beneficiary") if name in resource), "")


def is_erroneous(resource: Resource) -> bool:
    verification = resource.get("verificationStatus", {}).get("coding", [{}])[0].get("code")
    return "entered-in-error" in (resource.get("status"), verification)


def _written(resource: Resource) -> tuple[datetime, int]:
    meta = resource["meta"]
    return datetime.fromisoformat(meta.get("lastUpdated", "0001-01-01T00:00:00+00:00")), int(meta.get("versionId", 0))


def _linked(value: Any, targets: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            name: targets.get(part, part) if name == "reference" else _linked(part, targets)
            for name, part in value.items()
        }
    return [_linked(part, targets) for part in value] if isinstance(value, list) else value


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield from [part] if name == "reference" else _references(part)
    elif isinstance(value, list):
        for part in value:
            yield from _references(part)
