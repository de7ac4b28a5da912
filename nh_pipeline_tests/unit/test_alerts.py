"""Alerts: what is news, what a message says, and that it arrives, or that an error says so without a secret."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone

import pytest
from dagster._utils.error import serializable_error_info_from_exc_info
from tenacity import wait_none

from nh_pipeline.alerts import receivers as module
from nh_pipeline.alerts.message import MOST_LINES, Concern, News
from nh_pipeline.alerts.receivers import ATTEMPTS, Mailbox, NotDeliveredError, Webhook, receivers
from nh_pipeline.settings import Settings
from nh_pipeline_tests.support.receivers import PASSWORD, PATH, USER, certificate, mail_server, webhook

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=timezone.utc)


def concern(what, why="broken", **more):
    return Concern(what=what, why=why, since=NOW, look="nh status", **more)


def told(*found):
    return {c.what: c for c in found}


def test_what_is_new_what_changed_and_what_is_over_is_told_once():
    a, b, c = concern("a"), concern("b"), concern("c")
    assert News.between({}, [a, b]) == News((a, b), ())
    assert not News.between(told(a, b), [b, a])
    later = a.model_copy(update={"since": NOW + timedelta(days=1)})
    assert not News.between(told(a), [later])
    worse = concern("a", "more of it")
    assert News.between(told(a, b), [worse, c]) == News((worse, c), (b,))


def test_what_nobody_looks_at_any_more_is_not_well_again():
    forgotten, looked_at = (concern(f"{n}", forgotten_at=NOW + timedelta(days=n)) for n in (0, 10_000))
    assert News.between(told(forgotten, looked_at), []) == News((), (looked_at,))


def test_the_message():
    news = News((concern("run marts", "gold/x: OSError"),), (concern("check silver/y grain"),))
    assert news.text("/lake").splitlines() == [
        "nh, /lake: 1 new, 1 well again",
        "- run marts: gold/x: OSError, since 2026-03-01 12:30 UTC. nh status",
        "- well again: check silver/y grain",
    ]
    many = News(tuple(concern(f"{n}") for n in range(MOST_LINES + 3)))
    assert len(many.text("/lake").splitlines()) == 1 + MOST_LINES + 1
    assert many.text("/lake").endswith("- and 3 more: nh alerts show")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(module, "wait_exponential", lambda **_: wait_none())


def refused(receiver) -> str:
    """All that Dagster keeps of the error."""
    try:
        receiver.send("subject", "text")
    except NotDeliveredError:
        return str(serializable_error_info_from_exc_info(sys.exc_info()))
    raise AssertionError("it was taken")


def test_a_webhook_gets_json_and_is_asked_again(monkeypatch):
    with webhook() as server:
        (receiver,) = receivers(Settings(alerts_webhook=server.url))
        assert isinstance(receiver, Webhook)
        receiver.send("subject", "text")
        assert server.taken() == "text"
        for status in (500, 404, 302):
            server.asked, server.status = 0, status
            assert f"HTTPError {status}" in (error := refused(receiver))
            assert server.asked == ATTEMPTS
            assert PATH not in error + repr(receiver)
        assert not server.messages
    assert "ConnectionError" in (error := refused(receiver))
    assert PATH not in error


@pytest.fixture
def server(tmp_path, monkeypatch):
    path = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with mail_server(path) as found:
        yield found


def mailbox(server, **more):
    of_mail = {"mail_to": "a@example.org, b@example.org", "mail_from": "nh@example.org", "smtp_host": "127.0.0.1"}
    signed_in = {"smtp_port": server.port, "smtp_user": USER, "smtp_password": PASSWORD}
    named = {f"alerts_{k}": v for k, v in {**of_mail, **signed_in, **more}.items()}
    (receiver,) = receivers(Settings(**named))
    assert isinstance(receiver, Mailbox)
    return receiver


def test_a_mailbox_gets_mail_encrypted(server):
    mailbox(server).send("nh, /lake: 1 new", "- one\n- two")
    assert server.taken() == "a@example.org, b@example.org\nnh, /lake: 1 new\n- one\n- two\n"


def test_a_mail_server_that_does_not_take_it(server, monkeypatch):
    assert "SMTPAuthenticationError 535" in (error := refused(mailbox(server, smtp_user="nobody")))
    assert PASSWORD not in error
    server.refuses = True
    assert "SMTPRecipientsRefused" in refused(mailbox(server))
    monkeypatch.delenv("SSL_CERT_FILE")
    assert "SSLCertVerificationError" in (error := refused(mailbox(server)))
    assert PASSWORD not in error
    assert not server.messages


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"webhook": "hooks.example.org/geheim"}, "NH_ALERTS_WEBHOOK is no address"),
        ({"mail_to": "a@example.org"}, "NH_ALERTS_SMTP_HOST"),
        ({"smtp_user": "nh"}, "expected both of them"),
        ({"smtp_user": "nh", "smtp_password": "geheim", "smtp_starttls": False}, "NH_ALERTS_SMTP_STARTTLS is off"),
    ],
)
def test_settings_that_cannot_work_are_refused(given, said):
    with pytest.raises(ValueError, match=said) as caught:
        Settings(**{f"alerts_{k}": v for k, v in given.items()})
    assert "geheim" not in str(caught.value)


def test_nobody_gets_alerts_unless_settings_say_so():
    assert receivers(Settings()) == []
