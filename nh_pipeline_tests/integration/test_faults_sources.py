"""A file that cannot be read is not the lake's fault, and a full disk of the lake is."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from nh_pipeline.errors import InfrastructureError, explain, translate_infrastructure_errors
from nh_pipeline.lake.storage import Storage
from nh_pipeline.landing import LandingError, RawZone, Refused
from nh_pipeline.landing.source_state import SourceState
from nh_pipeline.landing.sync import land_changes
from nh_pipeline.sources import Changes, FolderSource, SourceUnavailable
from nh_pipeline.sources.drive_credentials import drive_credentials
from nh_pipeline_tests.support.local import Nh
from nh_pipeline_tests.support.memory_source import md5_of
from nh_pipeline_tests.unit.test_landing_recognise import claims, staffing

FILES = {"a.csv": staffing("2024Q1").encode(), "b.csv": staffing("2024Q2").encode(), "c.csv": claims("2024-10-01")}
DENIED = r"cannot read 'b\.csv' in .*: Permission denied\. Grant read permission, or deliver the file again\."


class Followed(FolderSource):
    """A folder that is followed as Google Drive is: it says what counts, and knows the md5 of every file."""

    authoritative = True

    def changes(self, cursor: str | None = None) -> Changes:
        found = super().changes(cursor)
        files = [f.model_copy(update={"md5": md5_of((self.path / f.name).read_bytes())}) for f in found.files]
        return found.model_copy(update={"files": files})


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "drop"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def zone(tmp_path):
    return RawZone(Storage(str(tmp_path / "lake")))


@pytest.fixture
def unreadable(monkeypatch):
    """Makes files that may not be read; the tests' user may be root, who may read all."""
    names, real = set(), Path.open

    def denied(self, *arguments, **more):
        if self.name in names:
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return real(self, *arguments, **more)

    monkeypatch.setattr(Path, "open", denied)
    return names


@pytest.fixture
def full(zone, monkeypatch):
    """Makes the disk of the lake full for files of these sizes."""
    sizes, real = set(), Storage.create

    class Full:
        def __init__(self, out):
            self.out, self.written = out, 0

        def write(self, content):
            self.written += len(content)
            if self.written in sizes:
                raise OSError(errno.ENOSPC, "No space left on device")
            return self.out.write(content)

        def __enter__(self):
            self.out.__enter__()
            return self

        def __exit__(self, *error):
            return self.out.__exit__(*error)

    monkeypatch.setattr(Storage, "create", lambda self, path: Full(real(self, path)))
    return sizes


def file_of(source, name):
    return next(f for f in source.changes().files if f.name == name)


def landed(zone):
    return {d.manifest.name for d in zone.deliveries()}


def test_a_file_that_cannot_be_read_keeps_its_own_words(folder, zone, unreadable):
    source = FolderSource(folder)
    unreadable.add("b.csv")
    with pytest.raises(SourceUnavailable, match=DENIED) as error:
        zone.land(source, file_of(source, "b.csv"))
    assert explain(error.value) is None
    assert list(zone.storage.files()) == []


def test_an_unreadable_file_does_not_stop_the_others(folder, zone, unreadable):
    source, state = Followed(folder), SourceState(zone.storage, "folder")
    source.changes()
    known = source.changes()  # listed, and its md5 told, before the permission is taken away
    source.changes = lambda _=None: known
    unreadable.add("b.csv")
    with pytest.raises(LandingError, match=rf"1 of 3 files wait for the next look: {DENIED}"):
        land_changes(source, zone, state)
    assert landed(zone) == {"a.csv", "c.csv"}
    unreadable.clear()
    assert [x.document.name for x in land_changes(source, zone, state)] == ["b.csv"]


def test_a_full_disk_of_the_lake_is_the_lakes(folder, zone, full):
    source, state = Followed(folder), SourceState(zone.storage, "folder")
    full.add(len(FILES["c.csv"]))
    with pytest.raises(InfrastructureError, match=r"The lake: there is no space left \(.*\)\. .* free some space"):
        zone.land(source, file_of(source, "c.csv"))
    with pytest.raises(
        InfrastructureError, match="The lake: there is no space left"
    ):  # nobody goes on with a full disk
        land_changes(source, zone, state)
    assert landed(zone) == {"a.csv", "b.csv"}
    full.clear()
    land_changes(source, zone, state)
    assert landed(zone) == set(FILES)


def test_a_full_disk_while_a_source_fails_is_the_lakes(folder, zone, unreadable, monkeypatch):
    """What is left of the download cannot be deleted either: then the lake is at fault, too, and that is more."""
    source = FolderSource(folder)
    unreadable.add("b.csv")

    def read_only(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Storage, "delete", read_only)
    with pytest.raises(InfrastructureError, match="The lake: nothing can be written"):
        zone.land(source, file_of(source, "b.csv"))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.integration
def test_nh_names_the_file(folder, tmp_path, unreadable):
    unreadable.add("b.csv")
    found = Nh(tmp_path / "lake")("ingest", folder / "b.csv", exits=1)
    told = " ".join((found.stdout + found.stderr).split())
    assert "cannot read 'b.csv'" in told
    assert "Grant read permission, or deliver the file again" in told
    assert "The lake" not in told


def test_credentials_that_may_not_be_read_are_not_the_lake(tmp_path, monkeypatch):
    def denied(self, *_, **__):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_text", denied)
    with pytest.raises(SourceUnavailable, match="cannot read the credentials: Permission denied") as error:
        drive_credentials(str(tmp_path / "key.json"))
    assert explain(error.value) is None


def chained(outer, inner, *, cause=True, hidden=False):
    """An error as if it was raised because of, or while handling, another one."""
    outer.__context__ = inner
    outer.__cause__ = inner if cause else None
    outer.__suppress_context__ = cause or hidden
    return outer


FULL = OSError(errno.ENOSPC, "No space left on device")
REFUSED = Refused("damaged", expected="a file", found="none", what_to_do="Deliver it again.")


@pytest.mark.parametrize("own", [SourceUnavailable("x"), LandingError("x"), REFUSED])
def test_an_error_of_a_source_or_a_file_keeps_its_own_words(own):
    assert explain(chained(own, FULL)) is None
    assert explain(chained(own, FULL, cause=False)) is None
    assert explain(chained(RuntimeError("x"), chained(own, FULL))) is None
    with pytest.raises(type(own)), translate_infrastructure_errors():
        raise own from FULL
    # Beside it, what the lake itself says is heard.
    assert "The lake: there is no space left" in str(explain(chained(OSError(*FULL.args), own, cause=False)))


def test_what_was_hidden_on_purpose_explains_nothing():
    assert explain(chained(RuntimeError("x"), FULL, cause=False, hidden=True)) is None
    assert "no space left" in str(explain(chained(RuntimeError("x"), FULL, cause=False)))
    assert "no space left" in str(explain(chained(RuntimeError("x"), FULL)))
