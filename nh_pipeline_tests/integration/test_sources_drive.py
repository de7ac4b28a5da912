"""Google Drive as a source, over the wire: what a listing finds, and how every failure ends."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from nh_pipeline.lake.storage import Storage
from nh_pipeline.landing import RawZone, Refused
from nh_pipeline.landing.recognise import recognise
from nh_pipeline.sources import Source, SourceUnavailable, google_drive, open_source
from nh_pipeline.sources.drive_client import LONGEST_WAIT, MOST_TRIES, DriveError
from nh_pipeline.sources.google_drive import DriveSource
from nh_pipeline_tests.support.drive_server import (
    BUSY,
    CUT,
    DOCUMENT,
    LIMITED,
    SECRET,
    SHEET,
    SHORTCUT,
    Drive,
    DriveServer,
    Fault,
    Generated,
)
from nh_pipeline_tests.support.local import Nh
from nh_pipeline_tests.unit.test_landing_recognise import staffing

Q1, Q2 = staffing("2024Q1").encode(), staffing("2024Q2").encode()


class Waits(list):
    """Records how long would have been waited, and does not wait."""

    __call__ = list.append


@pytest.fixture
def waits():
    return Waits()


@pytest.fixture
def drive(drive_server):
    return drive_server.drive


@pytest.fixture
def opened(drive_server, drive, tmp_path, waits):
    def opened(**more) -> DriveSource:
        key = drive.credentials(tmp_path / "key.json", drive_server.url)
        options = {"endpoint": drive_server.endpoint, "sleep": waits, **more}
        return DriveSource(drive.root, options.pop("credentials", key), **options)

    return opened


def names(changes):
    return [file.name for file in changes.files]


def downloaded(source, file) -> bytes:
    out = io.BytesIO()
    source.download(file, out)
    return out.getvalue()


# What is found


def test_lists_files_with_their_size_and_md5(drive, opened):
    first, second = drive.add(Q1, "same.csv"), drive.add(Q2, "same.csv")
    source: Source = opened()
    changes = source.changes(None)
    assert changes.complete
    assert [f.file_id for f in changes.files] == [first, second]  # two files of one name
    assert [f.size for f in changes.files] == [len(Q1), len(Q2)]
    assert {type(f.size) for f in changes.files} == {int}  # Drive tells it as text
    assert [downloaded(source, f) for f in changes.files] == [Q1, Q2]
    assert source.peek(changes.files[0], 7) == Q1[:7]


@pytest.mark.parametrize("shared_drive", [None, "0AB-shared"])
def test_sub_folders_pages_and_shared_drives(shared_drive, tmp_path):
    with DriveServer(Drive(shared_drive=shared_drive)) as server:
        drive = server.drive
        folders = [drive.root]
        folders += [drive.folder(f"sub{n}") for n in range(45)]  # more than fit into one query
        folders += [drive.folder("deep", parent=folders[-1]), drive.folder("deep", parent=folders[7])]
        for n, folder in enumerate(folders):
            drive.add(Q1, f"{n:02d}.csv", parent=folder)
        key = drive.credentials(tmp_path / "key.json", server.url)
        source = DriveSource(drive.root, key, endpoint=server.endpoint, page_size=3)
        assert source.about().drive == shared_drive
        before = source.changes(None)
        assert names(before) == [f"{n:02d}.csv" for n in range(48)]
        drive.add(Q2, "new.csv", parent=folders[-1])
        for n in range(5):
            drive.add(Q2, f"new{n}.csv", parent=folders[n])
        after = source.changes(before.cursor)
        assert names(after) == ["new.csv", *(f"new{n}.csv" for n in range(5))]
        assert not after.complete
        assert source.changes(after.cursor).files == []


def test_changes_since_a_cursor(drive, opened):
    kept, changed, gone, moved = (drive.add(Q1, name) for name in ("a.csv", "b.csv", "c.csv", "d.csv"))
    trashed, hidden = drive.add(Q1, "e.csv"), drive.add(Q1, "f.csv")
    source = opened()
    cursor = source.changes(None).cursor
    drive.change(changed, Q2)
    drive.remove(gone)
    drive.move(moved, drive.outside(visible=True))
    drive.move(hidden, drive.outside(visible=False))  # told as removed: nobody may see where it went
    drive.trash(trashed)
    new = drive.add(Q2, "new.csv")
    changes = opened().changes(cursor)  # another instance
    assert [f.file_id for f in changes.files] == [changed, new]
    assert set(changes.removed) == {gone, moved, trashed, hidden}
    assert changes.files[0].md5 != source.find([kept])[0].md5
    assert opened().changes(changes.cursor).removed == []


def test_what_happens_while_pages_are_read_is_told_afterwards(drive, opened, monkeypatch):
    sub = drive.folder("sub")
    drive.add(Q1, "a.csv")
    moving = drive.add(Q1, "moving.csv", parent=sub)
    told, events = Drive._list, [lambda: drive.add(Q2, "late.csv"), lambda: drive.move(moving, drive.root)]

    def late(self, query):
        page = told(self, query)
        if events:
            events.pop()()
        return page

    monkeypatch.setattr(Drive, "_list", late)
    changes = opened().changes(None)
    assert names(changes) == ["a.csv"]  # the first folder was read before, the second one after the move
    assert names(opened().changes(changes.cursor)) == ["late.csv", "moving.csv"]


@pytest.mark.parametrize("how", ["added", "moved in", "moved out", "trashed", "removed", "renamed"])
def test_a_folder_that_changes_is_listed_anew(drive, opened, how):
    sub, elsewhere = drive.folder("sub"), drive.outside(visible=True)
    away = drive.folder("away", parent=elsewhere)
    drive.add(Q1, "inside.csv", parent=sub)
    drive.add(Q2, "away.csv", parent=away)
    source = opened()
    cursor = source.changes(None).cursor
    if how == "added":
        drive.add(Q2, "deep.csv", parent=drive.folder("deep", parent=sub))
    elif how == "moved in":
        drive.move(away, sub)
    elif how == "moved out":
        drive.move(sub, elsewhere)
    elif how == "trashed":
        drive.trash(sub)
    elif how == "removed":
        drive.remove(sub)
    else:
        drive.rename(sub, "other")
    changes = source.changes(cursor)
    assert changes.complete
    expected = {"added": ["deep.csv", "inside.csv"], "moved in": ["away.csv", "inside.csv"], "renamed": ["inside.csv"]}
    assert names(changes) == expected.get(how, [])
    assert names(source.changes(None)) == names(changes)


def test_files_are_found_by_id_only_inside_of_the_folder(drive, opened):
    inside = drive.add(Q1, "in.csv", parent=drive.folder(parent=drive.folder()))
    outside = drive.add(Q1, "out.csv", parent=drive.outside(visible=True))
    trashed = drive.add(Q1, "trashed.csv", trashed=True)
    assert [f.file_id for f in opened().find([inside, outside, trashed, "nobody"])] == [inside]


def test_sheets_are_exported_and_what_cannot_be_delivered_says_so(drive, opened):
    sheet = drive.add(Q1, "sheet", kind=SHEET)
    drive.add(Q1 + b"x" * (10 << 20), "huge", kind=SHEET)
    drive.add(name="link", kind=SHORTCUT)
    drive.add(name="letter", kind=DOCUMENT)
    drive.add(Q1, "kept.csv", can_download=False)
    source = opened()
    changes = source.changes(None)
    (file,) = changes.files
    assert (file.file_id, file.size) == (sheet, len(Q1))
    assert downloaded(source, file) == Q1
    assert source.peek(file, 9) == Q1[:9]
    reasons = {u.name: u.reason for u in changes.unusable}
    assert set(reasons) == {"huge", "link", "letter", "kept.csv"}
    assert "exportSizeLimitExceeded" in reasons["huge"]
    assert "put the CSV into the folder" in reasons["huge"]
    assert "shortcut" in reasons["link"]
    drive.touch(sheet)
    assert source.changes(changes.cursor).files[0].md5 == file.md5


def test_an_empty_file(drive, opened):
    drive.add(b"", "empty.csv")
    source = opened()
    (file,) = source.changes(None).files
    assert source.peek(file) == b""
    assert [kind for kind, query in drive.requests if query["range"]] == ["media"]  # which was answered with 416
    assert downloaded(source, file) == b""
    with pytest.raises(Refused):
        recognise(source.peek(file), file.name, complete=True)


# What fails and passes


@pytest.mark.parametrize(
    "faults",
    [
        [LIMITED],
        [Fault(403, "rateLimitExceeded")],
        [Fault(429, "rateLimitExceeded", (("Retry-After", "3"),))],
        [Fault(500, "internalError"), BUSY, Fault(502), BUSY, Fault(504)],
        [Fault(cut=7)],
        [Fault(cut=0), Fault(cut=0), LIMITED],
    ],
    ids=lambda faults: "-".join(f"{f.status or 'cut'}{f.reason[:4]}" for f in faults),
)
def test_failures_that_pass_are_tried_again(drive, opened, waits, faults):
    for n in range(3):
        drive.add(staffing("2024Q1", name=str(n)).encode(), f"{n}.csv")
    source = opened(page_size=2)
    before = source.changes(None)
    drive.change(before.files[0].file_id, Q2)
    for kind in ("get", "token", "list", "changes", "media"):
        drive.script(kind, *faults)
    assert names(source.changes(None)) == names(before)
    assert len(waits) == 3 * len(faults)
    assert names(source.changes(before.cursor)) == ["0.csv"]
    assert downloaded(source, source.find([before.files[0].file_id])[0]) == Q2
    assert len(waits) == 5 * len(faults)
    if faults[0].headers:
        assert min(waits) >= 3
    assert max(waits) < 3 + LONGEST_WAIT
    assert len(set(waits)) == len(waits)  # jitter


def test_retry_after_may_be_a_date(drive, opened, waits):
    when = format_datetime(datetime.now(tz=timezone.utc) + timedelta(seconds=9), usegmt=True)
    drive.script("list", Fault(429, "rateLimitExceeded", (("Retry-After", when),)))
    opened().changes(None)
    (waited,) = waits
    assert 7 < waited < 7 + 2 + LONGEST_WAIT


def test_tries_end(drive, opened, waits):
    drive.script("list", *[BUSY] * (MOST_TRIES + 5))
    with pytest.raises(DriveError, match=rf"answered 503 {MOST_TRIES} times \(backendError\).*nothing is lost"):
        opened(first_wait=0.1).changes(None)
    assert drive.asked()["list"] == MOST_TRIES
    assert len(waits) == MOST_TRIES - 1
    assert all(waited <= 0.1 * 2**n for n, waited in enumerate(waits))


def test_a_wait_beyond_the_time_that_there_is_is_not_waited(drive, opened, waits):
    drive.script("list", Fault(429, "rateLimitExceeded", (("Retry-After", "3600"),)))
    with pytest.raises(DriveError, match=r"answered 429 \(rateLimitExceeded\)"):
        opened().changes(None)
    assert waits == []


def test_a_download_goes_on_where_it_broke_off(drive, opened, monkeypatch):
    monkeypatch.setattr(google_drive, "CHUNK_BYTES", 5000)
    content = Q1 * 40
    drive.add(content, "long.csv")
    source = opened()
    (file,) = source.changes(None).files
    drive.script("media", None, CUT, None, None, BUSY)
    assert downloaded(source, file) == content
    ranges = [query["range"] for kind, query in drive.requests if kind == "media"]
    assert ranges[:5] == ["bytes=0-4999", *["bytes=5000-9999"] * 2, "bytes=10000-14999", "bytes=15000-19999"]
    assert ranges[5] == ranges[4]
    assert len(ranges) == -(-len(content) // 5000) + 2


def test_nobody_listens(drive, opened, waits):
    source = opened(endpoint="http://127.0.0.1:9/drive/v3/", first_wait=0.1)
    with pytest.raises(SourceUnavailable, match=r"no answer from Google Drive 8 times .* Check the network"):
        source.changes(None)
    assert len(waits) == MOST_TRIES - 1


@pytest.mark.parametrize("token", ["not-a-token", "999999", "1"])
def test_a_token_that_drive_does_not_take_lists_everything(drive, opened, token):
    drive.add(Q1, "a.csv")
    source = opened()
    cursor = json.loads(source.changes(None).cursor) | {"startPageToken": token}
    drive.forget_old_tokens()  # so that 1 is gone (410); the others are refused with 400 and 404
    changes = source.changes(json.dumps(cursor))
    assert changes.complete
    assert names(changes) == ["a.csv"]
    assert source.changes(changes.cursor).files == []


@pytest.mark.parametrize("cursor", ["", "nonsense", "{}", '{"startPageToken": "1"}'])
def test_an_unreadable_cursor_is_no_cursor(drive, opened, cursor):
    drive.add(Q1, "a.csv")
    assert opened().changes(cursor).complete


@pytest.mark.parametrize("kind", ["changes", "list"])
@pytest.mark.parametrize("fault", [Fault(403, "insufficientPermissions"), *[BUSY]], ids=["for good", "again and again"])
def test_a_failed_second_page_fails_the_listing(drive, opened, kind, fault):
    for n in range(4):
        drive.add(Q1, f"{n}.csv")
    source = opened(page_size=2)
    cursor = source.changes(None).cursor
    for file_id in [i for i in drive.items if i.startswith("file")]:
        drive.touch(file_id)
    drive.script(kind, None, *[fault] * MOST_TRIES)
    with pytest.raises(SourceUnavailable, match="cannot list the"):
        source.changes(cursor if kind == "changes" else None)
    drive.faults.clear()
    assert len(source.changes(cursor).files) == 4


def test_an_incomplete_search_is_no_listing(drive, opened, monkeypatch):
    told = Drive._list
    monkeypatch.setattr(Drive, "_list", lambda self, query: {**told(self, query), "incompleteSearch": True})
    with pytest.raises(SourceUnavailable, match="incomplete"):
        opened().changes(None)


# What fails for good


@pytest.mark.parametrize(
    "failing",
    [
        ("get", Fault(404, "notFound"), "no folder root-folder .*nh@nh.iam.* Share the folder"),
        ("get", Fault(403, "accessNotConfigured"), "Enable the Google Drive API"),
        ("list", Fault(403, "insufficientFilePermissions"), "insufficientFilePermissions.* as Viewer"),
        ("list", Fault(403, "insufficientPermissions"), "drive.readonly"),
        ("media", Fault(403, "cannotDownloadFile"), "cannot read 'a.csv'.* forbids downloads"),
        ("media", Fault(403, "downloadQuotaExceeded"), "too often today"),
        ("media", Fault(404, "notFound"), "deleted, or is not shared"),
        ("token", Fault(400, "badRequest"), "refused for good"),
    ],
    ids=lambda value: f"{value[0]}-{value[1].reason}",
)
def test_what_fails_for_good_is_asked_once_and_says_what_to_do(drive, opened, waits, failing):
    kind, fault, told = failing
    drive.add(Q1, "a.csv")
    source = opened()
    (file,) = source.changes(None).files
    before = drive.asked()[kind]
    drive.script(kind, fault)
    with pytest.raises(SourceUnavailable, match=told):
        downloaded(source, file) if kind == "media" else source.changes(None)
    assert drive.asked()[kind] == before + 1
    assert waits == []


def test_credentials_that_google_does_not_accept(drive, opened):
    source = opened()
    drive.revoked = True
    with pytest.raises(SourceUnavailable, match=r"invalid_grant.*Make a new key"):
        source.changes(None)
    drive.revoked = False
    drive.script("get", *[Fault(401, "authError")] * 3)
    with pytest.raises(SourceUnavailable, match="401"):
        source.changes(None)
    assert names(source.changes(None)) == []


def test_a_folder_that_is_none(drive, opened, tmp_path, drive_server):
    key = drive.credentials(tmp_path / "key.json", drive_server.url)
    file_id = drive.add(Q1, "a.csv")
    for folder, told in (("nowhere", "no folder nowhere"), (file_id, "'a.csv' .* is no folder")):
        with pytest.raises(SourceUnavailable, match=told):
            DriveSource(folder, key, endpoint=drive_server.endpoint).changes(None)
    drive.trash(drive.root)
    with pytest.raises(SourceUnavailable, match="is in the trash"):
        opened().changes(None)


def test_a_file_that_changes_or_goes_while_it_is_read(drive, opened, monkeypatch):
    monkeypatch.setattr(google_drive, "CHUNK_BYTES", 100)
    file_id = drive.add(Q1, "a.csv")
    source = opened()
    (file,) = source.changes(None).files
    drive.change(file_id, Q1[:50])
    assert downloaded(source, file) == Q1[:50]  # whoever lands it finds another size
    drive.remove(file_id)
    with pytest.raises(SourceUnavailable, match="cannot read 'a"):
        source.peek(file)


# Credentials


def test_a_person_may_give_access(drive, opened, tmp_path, drive_server):
    drive.add(Q1, "a.csv")
    source = opened(credentials=drive.person(tmp_path / "person.json", drive_server.url))
    assert names(source.changes(None)) == ["a.csv"]


def test_credentials_in_secrets_manager_are_read_afresh(drive, opened, tmp_path, drive_server, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    key = Path(drive.credentials(tmp_path / "key.json", drive_server.url)).read_text()
    aws = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    aws.start()
    try:
        host, port = aws.get_host_and_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        manager = boto3.client("secretsmanager")
        arn = manager.create_secret(Name="nh/drive", SecretString=key)["ARN"]
        for where in (arn, "secretsmanager://nh/drive"):
            assert opened(credentials=where).changes(None).files == []
        manager.put_secret_value(SecretId=arn, SecretString=json.dumps({"type": "service_account"}))
        with pytest.raises(SourceUnavailable, match=r"the secret .* are incomplete"):
            opened(credentials=arn)
        with pytest.raises(SourceUnavailable, match=r"ResourceNotFoundException.*GetSecretValue"):
            opened(credentials="secretsmanager://nh/other")
    finally:
        aws.stop()


SPOILT = {
    "no JSON": f"{{'private_key': '{SECRET}'",
    "no object": json.dumps([SECRET]),
    "no key": json.dumps({"type": "service_account", "private_key_id": SECRET}),
    "damaged key": json.dumps(
        {
            "type": "service_account",
            "client_email": "a@b",
            "token_uri": "https://127.0.0.1/token",
            "private_key": f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----\n",
        }
    ),
    "half a token": json.dumps({"refresh_token": SECRET, "client_id": SECRET}),
}


def told_in_full(error: BaseException) -> str:
    """All that an exception and those behind it say."""
    seen, text = [], ""
    while error is not None and error not in seen:
        seen.append(error)
        text += f"{error!r} {error.args} {vars(error)}\n"
        error = error.__cause__ or error.__context__
    return text


@pytest.mark.parametrize("spoilt", SPOILT)
def test_unusable_credentials_are_not_shown(spoilt, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    path = tmp_path / "key.json"
    path.write_text(SPOILT[spoilt])
    with pytest.raises(SourceUnavailable, match="Expected the JSON key of a service account") as caught:
        open_source("gdrive://folder", credentials=str(path))
    assert SECRET not in told_in_full(caught.value) + caplog.text


def test_credentials_in_the_variable_itself_are_refused_and_not_shown(tmp_path):
    with pytest.raises(SourceUnavailable, match="holds the credentials themselves") as caught:
        open_source("gdrive://folder", credentials=SPOILT["half a token"])
    assert SECRET not in told_in_full(caught.value)
    for where, told in (("", "Set NH_DRIVE_CREDENTIALS"), (str(tmp_path / "none.json"), "No such file")):
        with pytest.raises(SourceUnavailable, match=told):
            open_source("gdrive://folder", credentials=where)


@pytest.mark.parametrize("who", ["service account", "person"])
def test_no_secret_in_logs_and_errors(opened, tmp_path, drive_server, caplog, who):
    caplog.set_level(logging.DEBUG)
    drive = drive_server.drive
    drive.add(Q1, "a.csv")
    make = drive.credentials if who == "service account" else drive.person
    source = opened(credentials=make(tmp_path / "key.json", drive_server.url))
    (file,) = source.changes(None).files
    for kind, fault in (("list", Fault(403, "insufficientPermissions")), ("list", Fault(401, "authError"))):
        drive.script(kind, *[fault] * 3)
        with pytest.raises(SourceUnavailable) as caught:
            source.changes(None)
        assert SECRET not in told_in_full(caught.value)
    drive.revoked = True
    with pytest.raises(SourceUnavailable, match="invalid_grant") as caught:
        opened(credentials=make(tmp_path / "key.json", drive_server.url)).peek(file)
    assert SECRET not in told_in_full(caught.value)
    assert SECRET not in caplog.text + repr(source) + repr(vars(source))
    assert drive.tokens


@pytest.mark.parametrize("missing", ["googleapiclient", "google.auth", "google_auth_httplib2", "boto3"])
def test_missing_libraries_say_what_to_install(missing):
    where = "arn:aws:secretsmanager:us-east-1:1:secret:x" if missing == "boto3" else "key.json"
    code = (
        f"import sys; sys.modules[{missing!r}] = None\nfrom nh_pipeline.sources import open_source\n"
        f"open_source('gdrive://folder', credentials={where!r})"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    extra = "aws" if missing == "boto3" else "drive"
    assert f"pip install 'nh-pipeline[{extra}]'" in found.stderr.splitlines()[-1]


@pytest.mark.parametrize("address", ["gdrive://", "gdrive://a?usp=sharing", "gdrive://folder/sub"])
def test_an_address_that_is_none(address):
    with pytest.raises(SourceUnavailable, match="last part of the folder's address"):
        open_source(address, credentials="key.json")


# A large file

LARGE = """
import resource, sys
from nh_pipeline.landing import RawZone
from nh_pipeline.sources.google_drive import DriveSource
from nh_pipeline.lake.storage import Storage
source = DriveSource(sys.argv[1], sys.argv[2], endpoint=sys.argv[3])
zone = RawZone(Storage(sys.argv[4]))
small, large = source.changes(None).files
zone.land(source, small)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(zone.land(source, large).document.size, before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_a_large_file_needs_no_more_memory_than_a_small_one(drive, drive_server, tmp_path):
    header, _, row = staffing("2024Q2").partition("\n")
    content = Generated(f"{header}\n".encode(), row.encode() * 5000, 250_000_000 // (len(row) * 5000) + 1)
    assert len(content) > 250_000_000
    drive.add(Q1, "a.csv")
    drive.add(content, "b.csv")
    key = drive.credentials(tmp_path / "key.json", drive_server.url)
    told = [sys.executable, "-c", LARGE, drive.root, key, drive_server.endpoint, str(tmp_path / "lake")]
    found = subprocess.run(told, capture_output=True, text=True, check=False, timeout=300)
    assert found.returncode == 0, found.stderr
    size, before, after = map(int, found.stdout.split())
    assert size == len(content)
    assert (after - before) / 1024 < 100, f"{(after - before) / 1024:.0f} MB for {size:,} bytes"
    (small, large) = sorted(RawZone(Storage(str(tmp_path / "lake"))).deliveries(), key=lambda d: d.manifest.size)
    assert (small.manifest.name, large.manifest.md5) == ("a.csv", content.md5)


# nh drive check


@pytest.fixture
def check(drive, drive_server, tmp_path, monkeypatch):
    monkeypatch.setenv("NH_SOURCE", f"gdrive://{drive.root}")
    monkeypatch.setenv("NH_DRIVE_ENDPOINT", drive_server.endpoint)
    monkeypatch.setenv("NH_DRIVE_CREDENTIALS", drive.credentials(tmp_path / "key.json", drive_server.url))
    return lambda *more, exits=0: Nh(tmp_path)("drive", "check", *more, exits=exits)


def test_check_lists_what_would_be_delivered(drive, check):
    drive.add(Q1, "PBJ[1].csv")
    drive.add(b"a,b\n1,2\n", "odd.csv")
    drive.add(name="link", kind=SHORTCUT)
    told = " ".join(check().stdout.split())
    assert "credentials read, of nh@nh.iam.gserviceaccount.com" in told
    assert "folder 'Deliveries', in My Drive: it can be seen" in told
    assert "2 of 2 files can be read" in told
    assert "PBJ[1].csv" in told
    assert "2024Q1" in told
    assert "quarantine" in told
    assert "not delivered" in told
    assert not drive.asked()["changes"]


def test_check_says_what_is_wrong(drive, check, monkeypatch):
    drive.add(Q1, "a.csv")
    drive.script("media", Fault(403, "cannotDownloadFile"))
    told = check(exits=1)
    assert "0 of 1 files can be read" in told.stdout
    drive.revoked = True
    told = check(exits=1)
    assert "invalid_grant" in told.stderr
    assert SECRET not in told.output
    drive.revoked = False
    assert "no folder elsewhere" in check("--source", "gdrive://elsewhere", exits=1).stderr
    assert "is no folder of Google Drive" in check("--source", "somewhere", exits=2).stderr
    monkeypatch.delenv("NH_DRIVE_CREDENTIALS")
    assert "Set NH_DRIVE_CREDENTIALS" in check(exits=1).stderr
