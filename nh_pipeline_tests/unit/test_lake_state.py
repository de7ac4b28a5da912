"""Small documents of the lake: those that an older version wrote are read as what they say."""

from __future__ import annotations

import json

from nh_pipeline.lake.refusals import Refusals
from nh_pipeline.lake.storage import Storage
from nh_pipeline.landing.source_state import SourceState

OLD, NEW = "0" * 32, "1" * 32
OLDER = {
    "state/refused/silver.dim_providers/all.json": {
        "table": "silver.dim_providers",
        "slice": "all",
        "built_from": "b",
        "rule": "grain",
        "reason": "r",
    },
    "state/google-drive/startPageToken.json": {
        "cursor": "7",
        "files": {
            "f": {
                "file": {
                    "file_id": "f",
                    "name": "a.csv",
                    "size": 1,
                    "modified_at": "2024-01-01T00:00:00Z",
                    "md5": NEW,
                },
                "before": OLD,
            }
        },
    },
}


def test_documents_of_older_lakes_are_read(tmp_path):
    storage = Storage(str(tmp_path))
    for path, content in OLDER.items():
        storage.write_json(path, content)
    (refusal,) = Refusals(storage).all()
    assert (refusal.table, refusal.partition) == ("silver.dim_providers", "all")
    state = SourceState(storage, "google-drive")
    assert state.cursor == "7"
    # The content that came before counts until the new one has landed.
    assert state.counting("f", frozenset()) == OLD
    assert state.counting("f", frozenset([f"f-{NEW}"])) == NEW


def test_what_is_written_now_is_read_again(tmp_path):
    storage = Storage(str(tmp_path))
    refusals = Refusals(storage)
    refusals.note("silver.dim_providers", {"all": "b"}, rule="grain", reason="r")
    (path,) = storage.files("state/refused")
    assert "slice" not in json.loads(storage.read(path))
    (found,) = refusals.all()
    assert (found.table, found.partition, found.built_from) == ("silver.dim_providers", "all", "b")
