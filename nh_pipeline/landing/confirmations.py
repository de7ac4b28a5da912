"""What a person has decided about landed deliveries, beside what they hold: small files of the lake.

``state/confirmed/<delivery id>.json``: a delivery that looks like an extract, or damaged, is to be taken all the same.
``state/withdrawn/<delivery id>.json``: a delivery is not to count, whatever it holds.

They name a content (md5), not a file name or a coverage, and travel with the lake.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nh_pipeline.lake.storage import Storage
    from nh_pipeline.landing.manifest import Delivery

_CONFIRMED, _WITHDRAWN = "state/confirmed", "state/withdrawn"


def confirm(storage: Storage, delivery: Delivery, *, reason: str) -> None:
    """Takes a held delivery from now on; confirming it again changes nothing."""
    _decide(storage, _CONFIRMED, delivery, reason)


def confirmed(storage: Storage) -> frozenset[str]:
    """Delivery ids that were confirmed."""
    return frozenset(_decided(storage, _CONFIRMED))


def withdraw(storage: Storage, delivery: Delivery, *, reason: str) -> None:
    """Lets a delivery count no longer; its file and manifest stay. Withdrawing it again changes nothing."""
    _decide(storage, _WITHDRAWN, delivery, reason)


def readmit(storage: Storage, delivery: Delivery) -> bool:
    """Takes a withdrawal back; whether there was one."""
    path = f"{_WITHDRAWN}/{delivery.delivery_id}.json"
    found = storage.exists(path)
    storage.delete(path)
    return found


def withdrawn(storage: Storage) -> dict[str, str]:
    """Delivery ids that a person withdrew, and why."""
    ids = _decided(storage, _WITHDRAWN)
    contents = storage.read_all(f"{_WITHDRAWN}/{i}.json" for i in ids)
    return {i: str(json.loads(content).get("reason", "")) for i, content in zip(ids, contents, strict=True)}


def _decide(storage: Storage, folder: str, delivery: Delivery, reason: str) -> None:
    path = f"{folder}/{delivery.delivery_id}.json"
    if not storage.exists(path):
        storage.write_json(
            path, {"delivery_id": delivery.delivery_id, "name": delivery.manifest.name, "reason": reason}
        )


def _decided(storage: Storage, folder: str) -> list[str]:
    return [p.rpartition("/")[2].removesuffix(".json") for p in storage.files(folder, suffix=".json")]
