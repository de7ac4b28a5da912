"""A followed Google Drive folder ends in the raw zone exactly once, whatever happens, and whenever it is looked at."""

from __future__ import annotations

import contextlib
import tempfile
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nh_pipeline.lake.storage import Storage
from nh_pipeline.landing import LandingError, Manifest, Quarantined, RawZone
from nh_pipeline.landing.source_state import SourceState
from nh_pipeline.landing.sync import land_changes
from nh_pipeline.sources import FolderSource, SourceUnavailable, open_source
from nh_pipeline.sources.google_drive import DriveSource
from nh_pipeline_tests.support.drive_server import BUSY, CUT, SHEET, Drive, DriveServer, Fault
from nh_pipeline_tests.support.memory_source import md5_of
from nh_pipeline_tests.unit.test_landing_recognise import claims, staffing

Q1, Q1_CORRECTED, Q2 = (staffing(q, name=n).encode() for q, n in (("2024Q1", "A"), ("2024Q1", "B"), ("2024Q2", "A")))
ODD = b"a,b\n1,2\n"


class Follower:
    """A lake that follows a Drive folder."""

    def __init__(self, server: DriveServer, root: Path, **options) -> None:
        self.drive, self.storage = server.drive, Storage(str(root / "lake"))
        self.zone = RawZone(self.storage)
        key = self.drive.credentials(root / "key.json", server.url)
        options = {"first_wait": 0.001, **options}
        self.source = DriveSource(self.drive.root, key, endpoint=server.endpoint, **options)

    @property
    def state(self) -> SourceState:
        return SourceState(self.storage, self.source.name)

    def look(self, *, full: bool = False) -> list[str]:
        """Names of what was landed now."""
        return [landed.document.name for landed in land_changes(self.source, self.zone, self.state, full=full)]

    def counting(self) -> dict[str, list[str]]:
        """Contents that count, by coverage, the effective one last."""
        found: dict[str, list[str]] = {}
        for delivery in self.zone.deliveries():
            if not delivery.withdrawn:
                found.setdefault(delivery.manifest.coverage.key, []).append(delivery.delivery_id)
        return found

    def raw(self) -> set[str]:
        """``<coverage or quarantine>/<file id>-<md5>`` of everything that was kept; nothing else may be there."""
        kept = set()
        for path in self.storage.files():
            folder, file = path.rsplit("/", 1)
            if file in ("manifest.json", "reason.json"):
                kept.add("/".join(folder.split("/")[-2:]))
            else:
                assert file.startswith("delivery.") or path == "state/google-drive/startPageToken.json", path
        return kept


@pytest.fixture
def follower(drive_server, tmp_path):
    return Follower(drive_server, tmp_path)


@pytest.fixture
def drive(drive_server):
    return drive_server.drive


def kept(coverage, file_id, content):
    return f"{coverage}/{file_id}-{md5_of(content)}"


def ids(*contents):
    return [md5_of(content) for content in contents]


# Events


def test_every_event_ends_in_the_right_raw_objects(drive, follower):
    a, odd = drive.add(Q1, "a.csv"), drive.add(ODD, "odd.csv")
    assert follower.look() == ["a.csv", "odd.csv"]  # first load
    expected = {kept("2024Q1", a, Q1), kept("quarantine", odd, ODD)}
    assert follower.raw() == expected
    assert follower.look() == []

    b = drive.add(Q2, "a.csv")  # two files of one name
    assert follower.look() == ["a.csv"]
    expected |= {kept("2024Q2", b, Q2)}
    assert follower.raw() == expected

    drive.change(a, Q1_CORRECTED)  # the same name, a new md5
    assert follower.look() == ["a.csv"]
    expected |= {kept("2024Q1", a, Q1_CORRECTED)}
    assert follower.raw() == expected
    assert follower.counting() == {"2024Q1": ids(Q1_CORRECTED), "2024Q2": ids(Q2)}

    before, downloads = follower.zone.deliveries(), drive.asked()["media"]
    drive.touch(a)
    drive.rename(b, "b.csv")
    assert follower.look() == []
    assert follower.zone.deliveries() == before
    assert [f.name for f in follower.state.files] == ["a.csv", "b.csv", "odd.csv"]
    assert drive.asked()["media"] == downloads

    drive.change(odd, Q2)  # the same content under two ids: the earlier one counts
    assert follower.look() == ["odd.csv"]
    expected |= {kept("2024Q2", odd, Q2)}
    assert follower.raw() == expected
    (of_q2,) = [d for d in follower.zone.deliveries() if d.manifest.coverage.key == "2024Q2"]
    assert of_q2.manifest.file_id == b

    moved = drive.add(claims("2024-10-01"), "in.csv", parent=drive.outside(visible=True))
    assert follower.look() == []
    drive.move(moved, drive.root)
    assert follower.look() == ["in.csv"]
    expected |= {kept("2024-10-01", moved, claims("2024-10-01"))}
    assert follower.raw() == expected

    drive.move(moved, drive.outside(visible=False))
    drive.trash(a)
    drive.remove(b)
    assert follower.look() == []
    assert follower.raw() == expected  # evidence
    assert follower.counting() == {"2024Q2": ids(Q2)}  # by the other id
    drive.trash(a, trashed=False)
    drive.move(moved, drive.root)
    assert follower.look() == []
    assert follower.counting() == {
        "2024Q1": ids(Q1_CORRECTED),
        "2024Q2": ids(Q2),
        "2024-10-01": ids(claims("2024-10-01")),
    }
    assert follower.look(full=True) == []
    assert follower.raw() == expected


def test_touching_changes_no_precedence(drive, follower):
    first, second = drive.add(Q1, "first.csv"), drive.add(Q1_CORRECTED, "second.csv")
    follower.look()
    effective = ids(Q1, Q1_CORRECTED)
    assert follower.counting() == {"2024Q1": effective}
    drive.touch(first)
    follower.look()
    assert follower.counting() == {"2024Q1": effective}
    follower.look(full=True)
    assert follower.counting() == {"2024Q1": effective}
    drive.trash(second)
    follower.look()
    assert follower.counting() == {"2024Q1": ids(Q1)}


def test_an_older_dated_content_replaces_the_newer_one(drive, follower):
    file_id = drive.add(Q1, "a.csv")
    follower.look()
    drive.change(file_id, Q1_CORRECTED, modified=datetime(2020, 1, 1, tzinfo=timezone.utc))
    follower.look()
    assert follower.counting() == {"2024Q1": ids(Q1_CORRECTED)}
    drive.change(file_id, ODD)  # in quarantine: what the file holds now counts nowhere
    follower.look()
    assert follower.counting() == {}
    drive.change(file_id, Q1)
    follower.look()
    assert follower.counting() == {"2024Q1": ids(Q1)}
    assert len(follower.raw()) == 3


def test_a_content_counts_until_the_next_one_has_landed(drive, follower):
    file_id = drive.add(Q1, "a.csv")
    follower.look()
    drive.change(file_id, Q1_CORRECTED)
    drive.script("media", *[Fault(404, "notFound")] * 2)
    for _ in range(2):
        with pytest.raises(LandingError):
            follower.look()
        assert follower.counting() == {"2024Q1": ids(Q1)}
    follower.look()
    assert follower.counting() == {"2024Q1": ids(Q1_CORRECTED)}


def test_what_was_ingested_by_hand_counts_for_ever(drive, follower, tmp_path):
    (tmp_path / "mine.csv").write_bytes(Q1)
    source = FolderSource(tmp_path / "mine.csv")
    follower.zone.land(source, source.changes().files[0])
    file_id = drive.add(Q1, "a.csv")
    follower.look()
    drive.remove(file_id)
    follower.look()
    assert follower.counting() == {"2024Q1": ids(Q1)}


def test_sheets_land_as_csv(drive, follower):
    file_id = drive.add(Q1, "sheet", kind=SHEET)
    assert follower.look() == ["sheet"]
    drive.touch(file_id)
    assert follower.look() == []
    drive.change(file_id, b"x" * (11 << 20))
    assert follower.look() == []
    assert [u.name for u in follower.state.unusable] == ["sheet"]
    assert follower.counting() == {}
    drive.change(file_id, Q1)
    assert follower.look() == []
    assert follower.state.unusable == []
    assert follower.counting() == {"2024Q1": ids(Q1)}


def test_the_lambda_handler_of_the_documentation(drive, follower, drive_server, tmp_path, monkeypatch):
    page = Path(__file__).resolve().parents[2] / "docs" / "google-drive.md"
    code = page.read_text().partition("```python\n")[2].partition("```")[0]
    assert len([line for line in code.splitlines() if line]) == 10
    told: dict[str, Any] = {}
    exec(code, told)  # noqa: S102 - as a reader would run it
    told["open_source"] = partial(open_source, endpoint=drive_server.endpoint)
    monkeypatch.setenv("NH_SOURCE", f"gdrive://{drive.root}")
    monkeypatch.setenv("NH_DRIVE_CREDENTIALS", str(tmp_path / "key.json"))
    monkeypatch.setenv("NH_HOME", follower.storage.root)
    file_id = drive.add(Q1, "a.csv")
    assert told["handler"]({}, None) == [f"raw/daily_nurse_staffing/2024Q1/{file_id}-{md5_of(Q1)}"]
    assert told["handler"]({}, None) == []
    assert follower.look() == []


# Faults: the token stays, nothing is lost


def token(follower):
    return follower.state.cursor


@pytest.mark.parametrize(
    ("kind", "faults"),
    [
        ("changes", [Fault(403, "insufficientPermissions")]),
        ("changes", [None, Fault(403, "insufficientPermissions")]),
        ("changes", [BUSY] * 8),
        ("get", [Fault(404, "notFound")]),
        ("get", [Fault(401, "authError")] * 3),
    ],
)
def test_a_listing_that_fails_changes_nothing(drive, drive_server, tmp_path, kind, faults):
    follower = Follower(drive_server, tmp_path, page_size=1)
    a, b = drive.add(Q1, "a.csv"), drive.add(ODD, "b.csv")
    follower.look()
    before, raw, counting = token(follower), follower.raw(), follower.counting()
    drive.trash(a)
    drive.change(b, Q2)
    drive.script(kind, *faults)
    with pytest.raises(SourceUnavailable):
        follower.look()
    assert (token(follower), follower.raw(), follower.counting()) == (before, raw, counting)
    drive.faults.clear()
    assert follower.look() == ["b.csv"]
    assert follower.counting() == {"2024Q2": ids(Q2)}


@pytest.mark.parametrize(
    "faults",
    [
        [Fault(flip=True)],
        [Fault(403, "cannotDownloadFile")],
        [CUT, BUSY, *[CUT] * 6],
        [Fault(416, "requestedRangeNotSatisfiable")],
    ],
    ids=["wrong bytes", "refused", "cut again and again", "shorter than told"],
)
def test_a_file_that_cannot_be_read_holds_the_token_and_no_other_file(drive, follower, faults):
    follower.look()
    before = token(follower)
    drive.add(Q1 * 10, "a.csv")
    drive.add(ODD, "b.csv")
    drive.script("media", *faults)
    with pytest.raises(LandingError, match=r"1 of 2 files wait for the next look: .*a\.csv"):
        follower.look()
    assert token(follower) == before
    assert [p.split("/")[0] for p in follower.raw()] == ["quarantine"]
    assert follower.look() == ["a.csv"]
    assert token(follower) != before


def test_a_wrong_md5_is_never_kept(drive, follower):
    file_id = drive.add(Q1, "a.csv")
    drive.show(file_id, md5Checksum="0" * 32)
    for _ in range(2):
        with pytest.raises(LandingError, match=f"expected md5 {'0' * 32} as the source says, found {md5_of(Q1)}"):
            follower.look()
    assert follower.raw() == set()
    assert token(follower) is None
    drive.show(file_id)
    assert follower.look() == ["a.csv"]


def test_a_lost_or_refused_token_lists_everything(drive, follower):
    a = drive.add(Q1, "a.csv")
    follower.look()
    gone = drive.add(Q2, "b.csv")
    follower.look()
    drive.remove(gone)
    drive.log[-1] = a  # as if Drive had never told of it
    assert follower.look() == []
    assert follower.counting() == {"2024Q1": ids(Q1), "2024Q2": ids(Q2)}
    drive.add(claims("2024-10-01"), "c.csv")
    drive.forget_old_tokens()
    assert follower.look() == ["c.csv"]
    assert follower.counting() == {"2024Q1": ids(Q1), "2024-10-01": ids(claims("2024-10-01"))}
    raw = follower.raw()
    for content in (None, b"damaged"):
        follower.storage.delete(follower.state.path)
        if content:
            follower.storage.write(follower.state.path, content)
        assert follower.look() == []
        assert follower.raw() == raw
        assert follower.counting() == {"2024Q1": ids(Q1), "2024-10-01": ids(claims("2024-10-01"))}


def test_the_nightly_listing_finds_what_changes_never_told(drive, follower):
    a = drive.add(Q1, "a.csv")
    follower.look()
    drive.add(Q2, "b.csv")
    drive.log[-1] = a
    assert follower.look() == []
    assert follower.look(full=True) == ["b.csv"]
    assert follower.look(full=True) == []


def test_who_looked_meanwhile_is_not_overwritten(drive, follower):
    drive.add(Q1, "a.csv")
    slow = follower.state
    changes = follower.source.changes(slow.cursor)
    follower.look()
    stored = follower.storage.read(slow.path)
    slow.see(changes)
    assert not slow.save(changes.cursor)
    assert follower.storage.read(slow.path) == stored


# Any sequence of events, with a crash between any two steps


class Crash(BaseException):
    """The process is killed here."""


class Fragile(Storage):
    """Storage whose process is killed before or after its n-th step."""

    steps = 0
    dies_at = 0

    def _step(self) -> None:
        type(self).steps += 1
        if type(self).steps >= type(self).dies_at > 0:  # who is dead does not clean up
            raise Crash

    def write(self, *args):
        self._step()
        super().write(*args)
        self._step()

    def move(self, *args):
        self._step()
        super().move(*args)
        self._step()

    def create(self, *args):
        self._step()
        return super().create(*args)

    def delete(self, *args):
        self._step()
        super().delete(*args)
        self._step()


CONTENTS = [Q1, Q1_CORRECTED, staffing("2024Q1", name="C").encode(), Q2, claims("2024-10-01"), ODD]
FILES = st.integers(0, 3)
EVENTS = st.one_of(
    st.tuples(st.just("add"), st.integers(0, 5), st.integers(0, 2)),
    st.tuples(st.just("change"), FILES, st.integers(0, 5)),
    st.tuples(st.just("backdate"), FILES, st.integers(0, 5)),
    st.tuples(st.sampled_from(["touch", "rename", "trash", "untrash", "remove", "out", "in", "into sub"]), FILES),
    st.tuples(st.sampled_from(["trash sub", "untrash sub", "sub out", "sub in"])),
    st.tuples(st.just("forget tokens")),
)
LOOKS = st.tuples(st.just("look"), st.integers(0, 30), st.booleans())


class World:
    """A Drive, the events on it, and a lake that follows it with crashes."""

    def __init__(self, server: DriveServer, root: Path) -> None:
        self.server, self.root, self.drive = server, root, server.drive
        self.follower = Follower(server, root, page_size=2)
        self.sub, self.beside, self.hidden = (
            self.drive.folder("sub"),
            self.drive.outside(visible=True),
            self.drive.outside(visible=False),
        )
        self.files: list[str] = []

    def happens(self, what: str, *more: int) -> None:
        drive = self.drive
        if what == "look":
            self.look(*more)
        elif what == "add":
            parents = [drive.root, self.sub, self.beside]
            self.files.append(drive.add(CONTENTS[more[0]], f"{len(self.files)}.csv", parent=parents[more[1]]))
        elif what == "forget tokens":
            drive.forget_old_tokens()
        elif what.endswith("sub") and not more:
            drive.trash(self.sub, trashed=what == "trash sub")
        elif what.startswith("sub"):
            drive.move(self.sub, self.beside if what == "sub out" else drive.root)
        elif more[0] < len(self.files) and self.files[more[0]] in drive.items:
            self._to_file(what, self.files[more[0]], *more[1:])

    def _to_file(self, what: str, file_id: str, content: int = 0) -> None:
        drive = self.drive
        if what == "change":
            drive.change(file_id, CONTENTS[content])
        elif what == "backdate":
            drive.change(file_id, CONTENTS[content], modified=drive.items[file_id].modified - timedelta(days=9))
        elif what == "rename":
            drive.rename(file_id, f"renamed {file_id}")
        elif what.endswith("trash"):
            drive.trash(file_id, trashed=what == "trash")
        elif what in ("touch", "remove"):
            getattr(drive, what)(file_id)
        else:
            drive.move(file_id, {"out": self.hidden, "in": drive.root, "into sub": self.sub}[what])

    def look(self, dies_at: int = 0, full: bool = False) -> bool:
        """Whether it came to its end."""
        Fragile.steps, Fragile.dies_at = 0, dies_at
        fragile = Fragile(self.follower.storage.root)
        state = SourceState(fragile, self.follower.source.name)
        try:
            land_changes(self.follower.source, RawZone(fragile), state, full=full)
        except Crash:
            return False
        return True

    def manifests(self) -> dict[str, bytes]:
        storage = self.follower.storage
        return {path: storage.read(path) for path in storage.files(suffix=".json") if not path.startswith("state")}


def fresh(world: World) -> Follower:
    """A lake of its own that loads the folder as it is now."""
    follower = Follower(world.server, world.root / "fresh")
    follower.look()
    return follower


@contextlib.contextmanager
def a_world():
    with tempfile.TemporaryDirectory() as folder, DriveServer(Drive()) as server:
        (Path(folder) / "fresh").mkdir()
        yield World(server, Path(folder))


def first_seen(follower: Follower, of: Follower) -> dict[str, list[str]]:
    """What counts in a lake, in the order of the times at which another one first saw it."""
    seen = {(d.file_id, d.md5): d.modified_at for _, d in of.zone._manifests("raw")}
    found: dict[str, dict[str, datetime]] = {}
    for _, manifest in follower.zone._manifests("raw"):
        times = found.setdefault(manifest.coverage.key, {})
        time = seen[manifest.file_id, manifest.md5]
        times[manifest.md5] = min(time, times.get(manifest.md5, time))
    return {coverage: sorted(times, key=lambda md5: (times[md5], md5)) for coverage, times in found.items()}


@pytest.mark.at_length
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.one_of(EVENTS, EVENTS, LOOKS), max_size=25))
def test_any_sequence_of_events_and_crashes_ends_as_a_full_load(steps):
    with a_world() as world:
        evidence: dict[str, bytes] = {}
        for step in steps:
            world.happens(*step)
            now = world.manifests()
            assert {path: now.get(path) for path in evidence if path.startswith("raw")} == {
                path: content for path, content in evidence.items() if path.startswith("raw")
            }, "what has landed was changed"
            evidence = now
        world.look()
        whole = fresh(world)
        follower = world.follower
        # Times are those at which a content was first seen: a lake that never saw an earlier one cannot know it.
        assert follower.counting() == first_seen(whole, of=follower)
        assert {k: set(v) for k, v in follower.counting().items()} == {k: set(v) for k, v in whole.counting().items()}
        assert set(evidence) <= set(world.manifests())
        assert follower.state.pending() == []
        assert {f.file_id: f.md5 for f in follower.state.files} == {f.file_id: f.md5 for f in whole.state.files}
        # Nothing changes any more, by changes or by a full listing.
        before = world.manifests()
        follower.look()
        follower.look(full=True)
        assert world.manifests() == before


@pytest.mark.at_length
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.integers(0, 5), st.integers(0, 2)),
            st.tuples(st.sampled_from(["trash", "untrash", "remove", "rename", "out", "in"]), FILES),
            LOOKS,
        ),
        max_size=20,
    )
)
def test_without_touches_a_fresh_lake_has_the_very_same_manifests(steps):
    """Every content of a file has one time here, so that a first load must give the same, times included."""
    with a_world() as world:
        for step in steps:
            world.happens(*step)
        world.look()
        assert world.follower.counting() == fresh(world).counting()


@pytest.mark.at_length
def test_a_crash_between_any_two_steps(drive_server, tmp_path):
    """All of them, one by one: a changed, a removed and a new file."""
    crashes = 0
    for dies_at in range(1, 100):
        with a_world() as world:
            world.happens("add", 0, 0)
            world.happens("add", 3, 1)
            world.look()
            world.happens("change", 0, 1)
            world.happens("remove", 1)
            world.happens("add", 4, 0)
            crashed = not world.look(dies_at)
            world.look()
            assert (
                world.follower.counting()
                == fresh(world).counting()
                == {"2024Q1": ids(Q1_CORRECTED), "2024-10-01": ids(claims("2024-10-01"))}
            )
            assert len([p for p in world.manifests() if p.startswith("raw")]) == 4
        if not crashed:
            break
        crashes += 1
    assert crashes > 10


def test_landed_and_quarantined_documents(drive, follower):
    drive.add(Q1, "a.csv")
    drive.add(ODD, "b.csv")
    kinds = [type(x.document) for x in land_changes(follower.source, follower.zone, follower.state)]
    assert kinds == [Manifest, Quarantined]
