"""What the gate found in each partition of a table when it was published: small documents of the lake.

``state/checked/<table>/<partition>.json``, of the last build of the partition. They are written after the commit and
before the table remembers what it was built from: who sees that finds the document, and a build that was killed in
between is done again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel

from nh_pipeline.pipeline.gate import CheckResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nh_pipeline.lake.storage import Storage

_FOLDER = "state/checked"


class Checked(BaseModel, frozen=True):
    """One build of (part of) a table.

    Attributes:
        partitions: those that it replaced; the results are of all of them together.
        run_id: of the first run that found just this.
        checks: the results, without their samples: rows are the tables' business.
    """

    table: str
    partitions: tuple[str, ...]
    run_id: str
    checks: tuple[CheckResult, ...]


class Checks:
    """Of one lake."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def note(self, table: str, partitions: Iterable[str], run_id: str, checks: Iterable[CheckResult]) -> None:
        """Keeps the results of a build; one that found the same leaves the documents as they are."""
        results = tuple(c.model_copy(update={"sample": []}) for c in checks)
        found = Checked(table=table, partitions=tuple(sorted(partitions)), run_id=run_id, checks=results)
        for partition in found.partitions:
            path = f"{_FOLDER}/{table}/{partition}.json"
            known = _parsed(self._storage.read(path)) if self._storage.exists(path) else None
            if known is None or known.model_copy(update={"run_id": run_id}) != found:
                self._storage.write(path, found.model_dump_json(indent=1).encode())

    def all(self) -> Iterator[Checked]:
        """All results, by table and partition: those of several partitions as often as there are partitions."""
        contents = self._storage.read_all(list(self._storage.files(_FOLDER, suffix=".json")))
        return (found for content in contents if (found := _parsed(content)) is not None)


def _parsed(content: bytes) -> Checked | None:
    """A damaged document counts as missing: it only tells of a build, whose rows are what they are."""
    try:
        return Checked.model_validate_json(content)
    except ValueError:
        return None
