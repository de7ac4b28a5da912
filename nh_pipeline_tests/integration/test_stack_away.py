"""The services with deliveries on Google Drive and their lake on S3, both of which are away for an hour."""

from __future__ import annotations

import time
from datetime import datetime, timezone

import pytest

from nh_pipeline import tables
from nh_pipeline.lake.lake import Lake
from nh_pipeline.queries.open import LakeQueries
from nh_pipeline_tests.integration.test_stack import KILLED, Running
from nh_pipeline_tests.support.aws_server import away, signed_in
from nh_pipeline_tests.support.drive_server import SECRET, Drive, DriveServer
from nh_pipeline_tests.support.local import Nh
from nh_pipeline_tests.support.stack import NO_CLOCK

pytestmark = [
    pytest.mark.integration,
    pytest.mark.at_length,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

HOUR = 3600


class Clouded(Running):
    """The stack with what people write into ``.env`` for Drive and S3, and a clock that is set by tests."""

    def __init__(self, folder, aws, drive_server):
        super().__init__(folder)
        self.aws, self.drive, self.queries = aws, drive_server.drive, LakeQueries(Lake(aws.home))
        self.services["code"].env |= {
            **aws.environment,
            "NH_HOME": aws.home,
            "NH_SOURCE": f"gdrive://{self.drive.root}",
            "NH_DRIVE_CREDENTIALS": self.drive.credentials(folder / "key.json", drive_server.url),
            "NH_DRIVE_ENDPOINT": drive_server.endpoint,
        }
        self.clock.given_to("code", "daemon")

    def deliver(self, quarter, correction=None, *, into=None):
        path = super().deliver(quarter, correction, into=into)
        modified = datetime.fromtimestamp(path.stat().st_mtime, tz=timezone.utc)
        self.drive.add(path.read_bytes(), path.name, modified=modified)
        return path

    def ticks_fail(self, since):
        """What those that began after an instant failed with, once there are any; each takes its time to fail."""

        def failed():
            return [str(tick["error"]) for tick in self.ticks(a=since) if tick["status"] == "FAILURE"]

        return self.wait(failed, f"ticks fail after {since}")


@pytest.fixture(scope="module")
def stack(tmp_path_factory, aws_server):
    with signed_in(aws_server) as aws, DriveServer(Drive()) as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "QUALITIES", ())  # as in what the services load
        made = Clouded(tmp_path_factory.mktemp("clouded"), aws, server)
        if not made.clock.available:
            pytest.skip(NO_CLOCK)
        with made:
            yield made


def test_both_are_away_for_an_hour(stack):
    stack.deliver(KILLED)
    run = stack.wait(stack.executing, "a run begins")
    with stack.aws.failing("*", away):
        stack.drive.away = True
        stack.fails(run, "its lake is away")
        failed = stack.ticks_fail(time.time() - 30)
        stack.clock.set("+1h")
        failed += stack.ticks_fail(time.time() + HOUR - 5)
        stack.drive.away = False
    told = stack.told(run).lower()  # of S3 or Drive, whichever it needed first, in its client's words
    assert "unavailable" in told or "backenderror" in told
    assert not [error for error in failed if SECRET in error or "secret-of-the-tests" in error]
    stack.becomes_gold("once they are back")
    nh = Nh(stack.aws.home)
    assert "the lake is as it should be" in nh("verify").stdout
    assert nh("materialize").stdout == "nothing to do: every table is up to date\n"
    assert stack.measured() == stack.expected
