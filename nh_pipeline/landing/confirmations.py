"""Confirmations: a person's word that a delivery which looks like a mere extract is to be taken all the same.

They are small files of the lake (``state/confirmed/<delivery id>.json``), so that they travel with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nh_pipeline.landing.manifest import Delivery
    from nh_pipeline.storage import Storage

_FOLDER = "state/confirmed"


def confirm(storage: Storage, delivery: Delivery, *, reason: str) -> None:
    """Takes a held delivery from now on; confirming it again changes nothing."""
    path = f"{_FOLDER}/{delivery.delivery_id}.json"
    if not storage.exists(path):
        storage.write_json(
            path, {"delivery_id": delivery.delivery_id, "name": delivery.manifest.name, "reason": reason}
        )


def confirmed(storage: Storage) -> frozenset[str]:
    """Delivery ids that were confirmed."""
    return frozenset(p.rpartition("/")[2].removesuffix(".json") for p in storage.files(_FOLDER, suffix=".json"))
