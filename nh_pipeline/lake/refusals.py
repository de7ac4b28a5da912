"""Builds that the gate refused: what they were built from, and why; and a person's word that they may be published.

Nothing was published, so no snapshot tells. Small files of the lake, ``state/refused/<table>/<partition>.json``: the
plan passes over what the gate would refuse again, and people see it until its inputs or its recipe change.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pydantic import AliasChoices, BaseModel, Field

from nh_pipeline.lake.documents import parsed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nh_pipeline.lake.storage import Storage

_REFUSED, _ALLOWED = "state/refused", "state/allowed"


class Refusal(BaseModel, frozen=True):
    """One partition that the gate refused.

    Attributes:
        partition: what was to be built, as the table's memory names it.
        built_from: its inputs and its recipe.
        rule: the first rule that failed.
        reason: what was found, and what to do.
    """

    table: str
    partition: str = Field(validation_alias=AliasChoices("partition", "slice"))  # as older lakes have it
    built_from: str
    rule: str
    reason: str


class Refusals:
    """Of one lake."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def note(self, table: str, built_from: Mapping[str, str], rule: str, reason: str) -> None:
        """Keeps why partitions were not published."""
        for name, inputs in built_from.items():
            found = Refusal(table=table, partition=name, built_from=inputs, rule=rule, reason=reason)
            self._storage.write(self._path(_REFUSED, table, name), found.model_dump_json(indent=1).encode())

    def forget(self, table: str, partitions: Iterable[str]) -> None:
        """Of partitions that have been published, or are to be tried again."""
        for name in partitions:
            self._storage.delete(self._path(_REFUSED, table, name))

    def all(self, table: str | None = None) -> list[Refusal]:
        """What is refused, by table and partition."""
        paths = list(self._storage.files(f"{_REFUSED}/{table}" if table else _REFUSED, suffix=".json"))
        contents = zip(paths, self._storage.read_all(paths), strict=True)
        return [parsed(self._storage, path, content, Refusal.model_validate_json) for path, content in contents]

    def allow(self, refusal: Refusal, *, reason: str) -> None:
        """A person's word that these inputs may take rows away."""
        content = {"built_from": refusal.built_from, "reason": reason}
        self._storage.write_json(self._path(_ALLOWED, refusal.table, refusal.partition), content)
        self.forget(refusal.table, [refusal.partition])

    def allowed(self, table: str, built_from: Mapping[str, str]) -> bool:
        """Whether a person has said so of all the partitions, with just these inputs."""
        paths = {self._path(_ALLOWED, table, name): told for name, told in built_from.items()}
        return bool(paths) and all(
            self._storage.exists(path) and json.loads(self._storage.read(path))["built_from"] == told
            for path, told in paths.items()
        )

    def _path(self, folder: str, table: str, name: str) -> str:
        return f"{folder}/{table}/{name}.json"


def inputs_of(refusals: Iterable[Refusal], table: str) -> dict[str, str]:
    """What the refused partitions of a table were to be built from."""
    return {r.partition: r.built_from for r in refusals if r.table == table}
