"""A folder as a source: what is seen, what counts as changed, and what an outage looks like."""

from __future__ import annotations

import io
import json
import os
from datetime import datetime, timezone

import pytest
from pydantic import ValidationError

from nh_pipeline.sources import FolderSource, Source, SourceFile, SourceUnavailable
from nh_pipeline_tests.support.denied import deny_listing


def names(changes):
    return [file.name for file in changes.files]


def test_lists_recursively_and_only_what_is_complete(tmp_path):
    for name in ("a.csv", "sub/deep/b.zip", ".hidden", ".git/x.csv", "c.csv.partial", "d.CRDOWNLOAD", "e.tmp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe.csv")
    source: Source = FolderSource(tmp_path)
    changes = source.changes(None)
    assert names(changes) == ["a.csv", "sub/deep/b.zip"]
    assert changes.removed == []
    assert {len(file.file_id) for file in changes.files} == {16}


def test_folders_that_say_what_is_in_them_are_part_of_names_wherever_the_source_begins(tmp_path):
    name = "source=east/dt=2024-08-06/a.ndjson"
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_bytes(b"x")
    (whole,) = FolderSource(tmp_path).changes().files
    assert whole.name == name
    for root in (tmp_path / name, *(tmp_path / name).parents[:2]):
        assert FolderSource(root).changes().files == [whole]
        assert FolderSource(root).peek(whole) == b"x"


@pytest.mark.parametrize(
    "name",
    [".DS_Store", "._PBJ.csv", "Thumbs.db", "thumbs.DB", "desktop.ini", "~$NH_ProviderInfo.xlsx",
     ".~lock.PBJ.csv#", "PBJ.csv~", "#PBJ.csv#", ".PBJ.csv.swp", "Icon\r", ".nfs000001"],
)  # fmt: skip
def test_litter_is_not_seen(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    changes = FolderSource(tmp_path).changes()
    assert (changes.files, changes.unusable) == ([], [])


@pytest.mark.parametrize(
    "name",
    ["a.csv.part", "a.csv.filepart", "a.csv.opdownload", "a.csv.crdownload", "a.csv.download", "a.csv.!ut",
     "a.csv.aria2", "Unconfirmed 12345.crdownload", "a.csv.partial", "a.TMP", "a.csv.part3", "a.zip.icloud"],
)  # fmt: skip
def test_what_is_still_written_is_told_and_left_out(tmp_path, name):
    for path in (tmp_path, tmp_path / name):
        (tmp_path / name).write_bytes(b"x")
        changes = FolderSource(path).changes()
        assert changes.files == []
        assert [(u.name, "still being written" in u.reason) for u in changes.unusable] == [(name, True)]


@pytest.mark.parametrize("name", ["Partial year.csv", "a.part.csv", "template.csv", "download.csv", "PBJ~1.CSV"])
def test_names_that_only_look_so_are_seen(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    assert names(FolderSource(tmp_path).changes()) == [name]


def test_a_cursor_finds_changed_and_removed_files_whatever_their_dates(tmp_path):
    for name in ("same.csv", "older.csv", "gone.csv"):
        (tmp_path / name).write_bytes(b"1")
    source = FolderSource(tmp_path)
    first = source.changes()
    gone = next(file.file_id for file in first.files if file.name == "gone.csv")
    (tmp_path / "gone.csv").unlink()
    os.utime(tmp_path / "older.csv", ns=(0, 0))
    (tmp_path / "new.csv").write_bytes(b"2")
    os.utime(tmp_path / "new.csv", ns=(1, 1))
    second = FolderSource(tmp_path).changes(first.cursor)
    assert names(second) == ["new.csv", "older.csv"]
    assert second.removed == [gone]
    assert source.changes(second.cursor).files == []
    assert all(isinstance(value, list) and len(value) == 2 for value in json.loads(second.cursor).values())


@pytest.mark.parametrize("cursor", ["", "not json", "[1]", '{"a": 1}'])
def test_an_unreadable_cursor_is_no_cursor(tmp_path, cursor):
    (tmp_path / "a.csv").write_bytes(b"1")
    changes = FolderSource(tmp_path).changes(cursor)
    assert names(changes) == ["a.csv"]
    assert changes.removed == []


def test_modified_time_and_version(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"123")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    (file,) = FolderSource(tmp_path).changes().files
    assert file.modified_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc)
    assert (file.size, file.md5) == (3, None)
    assert file.version == "1700000000.000000-3"
    assert file.model_copy(update={"md5": "0" * 32}).version == "0" * 32


def test_links_out_of_the_folder_are_not_followed(tmp_path):
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "secret.csv").write_bytes(b"x")
    (inside / "a.csv").write_bytes(b"x")
    (inside / "out.csv").symlink_to(outside / "secret.csv")
    (inside / "folder").symlink_to(outside)
    (inside / "broken.csv").symlink_to(inside / "nothing")
    (inside / "loop.csv").symlink_to(inside / "loop.csv")
    (inside / "in.csv").symlink_to(inside / "a.csv")
    assert names(FolderSource(inside).changes()) == ["a.csv", "in.csv"]


def test_a_single_file(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"abc")
    (tmp_path / "b.csv").write_bytes(b"x")
    source = FolderSource(tmp_path / "a.csv", name="one")
    (file,) = source.changes().files
    assert (source.name, file.name) == ("one", "a.csv")
    assert source.peek(file) == b"abc"


def test_peek_and_download_from_another_instance(tmp_path):
    content = os.urandom(3_000_000)
    (tmp_path / "a.csv").write_bytes(content)
    (file,) = FolderSource(tmp_path).changes().files
    out = io.BytesIO()
    FolderSource(tmp_path).download(file, out)
    assert out.getvalue() == content
    assert FolderSource(tmp_path).peek(file) == content[:65536]
    assert FolderSource(tmp_path).peek(file, 7) == content[:7]


def test_a_file_that_is_gone(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"x")
    source = FolderSource(tmp_path)
    (file,) = source.changes().files
    (tmp_path / "a.csv").unlink()
    with pytest.raises(SourceUnavailable, match=r"cannot read 'a\.csv'"):
        source.peek(file)
    with pytest.raises(SourceUnavailable, match=r"'a\.csv' .* is not in"):
        FolderSource(tmp_path).download(file, io.BytesIO())


def test_a_missing_folder_is_not_an_empty_one(tmp_path):
    with pytest.raises(SourceUnavailable, match="no such folder or file"):
        FolderSource(tmp_path / "nothing").changes()
    assert FolderSource(tmp_path).changes().files == []


def test_a_folder_that_cannot_be_listed(tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.csv").write_bytes(b"x")
    deny_listing(monkeypatch, "sub")
    with pytest.raises(SourceUnavailable, match=r"cannot list .*sub.*Permission denied"):
        FolderSource(tmp_path).changes()


def test_odd_names_are_text(tmp_path):
    odd = [b"\xff\xfe.csv", b"a\nb.csv", "é.csv".encode(), b"n" * 250 + b".csv"]
    for name in odd:
        with open(os.path.join(os.fsencode(tmp_path), name), "wb") as out:  # noqa: PTH118, PTH123 - bytes
            out.write(b"x")
    files = FolderSource(tmp_path).changes().files
    assert len(files) == len({file.file_id for file in files}) == 4
    for file in files:
        file.model_dump_json()
    assert "\ufffd\ufffd.csv" in names(FolderSource(tmp_path).changes())


@pytest.mark.parametrize("file_id", ["", "../x", "a/b", "a.b", "x" * 129])
def test_file_ids_are_safe_in_paths(file_id):
    with pytest.raises(ValidationError):
        SourceFile(file_id=file_id, name="n", size=1, modified_at=datetime.now(tz=timezone.utc))
