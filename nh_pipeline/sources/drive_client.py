"""Questions to the Google Drive API: sent, tried again while that can help, and failures told in plain words.

What belongs here: the one way in which a request leaves this process. Not here: which requests make up a listing
(:mod:`.google_drive`), and where the credentials come from (:mod:`.drive_credentials`).

A failure that passes (too many requests, a server's fault, a broken connection) is tried again after a random,
growing wait, or after the wait that Google asks for, up to a limit of tries and of time. Every other failure ends at
once. Nothing of what the errors carry leaves this module but Google's own reasons: a reply of the token endpoint may
hold a secret.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

import google_auth_httplib2
import httplib2
from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from nh_pipeline.sources.protocol import SourceUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.auth.credentials import Credentials

MOST_TRIES = 8
"""How often one request is sent at most."""

LONGEST_WAIT = 32.0
"""Seconds between two tries at most, unless Google asks for more."""

REQUEST_SECONDS = 20.0
"""After how long an unanswered request counts as failed."""

_enough = stop_after_attempt(MOST_TRIES)
_PASSING_STATUS = {408, 429, 500, 502, 503, 504}
_PASSING_REASONS = {"userRateLimitExceeded", "rateLimitExceeded", "backendError", "internalError"}
_BROKEN = (OSError, HTTPException, httplib2.HttpLib2Error, TransportError)

_WHAT_TO_DO = {
    "accessNotConfigured": "Enable the Google Drive API in the Google Cloud project of the credentials.",
    "SERVICE_DISABLED": "Enable the Google Drive API in the Google Cloud project of the credentials.",
    "insufficientPermissions": "The credentials lack the scope drive.readonly: make them anew with it.",
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": "The credentials lack the scope drive.readonly: make them anew with it.",
    "insufficientFilePermissions": "Share the folder with the credentials' account, as Viewer.",
    "appNotAuthorizedToFile": "Share the folder with the credentials' account, as Viewer.",
    "domainPolicy": "The domain's policy forbids it: ask its administrator to allow the Drive API for the account.",
    "cannotDownloadFile": "Its owner forbids downloads: allow viewers to download the file.",
    "cannotDownloadAbusiveFile": "Google takes it for malware: check the file, and deliver it anew.",
    "downloadQuotaExceeded": "It was downloaded too often today: it is tried again, or deliver a copy of it.",
    "exportSizeLimitExceeded": "Google exports at most 10 MB: download it as CSV, and put the CSV into the folder.",
}
_BY_STATUS = {
    401: "Google does not accept the credentials: make a new key, and put it where NH_DRIVE_CREDENTIALS points to.",
    403: "Share the folder with the credentials' account, as Viewer.",
    404: "It was deleted, or is not shared with the credentials' account: share the folder with it, as Viewer.",
}


class DriveError(SourceUnavailable):
    """An answer of Google Drive that ends a request, or no answer.

    Attributes:
        status: HTTP status; 0 if there was none.
        reasons: Google's own words for the cause.
    """

    def __init__(self, message: str, *, status: int = 0, reasons: frozenset[str] = frozenset()) -> None:
        super().__init__(message)
        self.status = status
        self.reasons = reasons


class _Http(httplib2.Http):  # type: ignore[misc]  # a library without types
    """A transport that stays in its thread.

    google-auth would copy it into a background thread and ask another address of Google's for the account's regions,
    for each credentials that are read anew: at every tick of a sensor. It does without where it cannot copy.
    """

    def __deepcopy__(self, memo: object) -> _Http:
        raise TypeError("a transport of the Drive client belongs to one thread")


class DriveClient:
    """The Drive API, read only.

    Args:
        credentials: Of a service account or a person.
        endpoint: Address of the API if it is not Google's, up to and including ``drive/v3/``.
        first_wait: Seconds to wait after a first failure, at most; later waits grow.
        sleep: What waits.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        endpoint: str = "",
        first_wait: float = 1.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http = google_auth_httplib2.AuthorizedHttp(credentials, http=_Http(timeout=REQUEST_SECONDS))
        self._api = build(
            "drive",
            "v3",
            http=self._http,
            client_options={"api_endpoint": endpoint} if endpoint else None,
            static_discovery=True,  # the description of the API that came with the library: nothing is fetched
            cache_discovery=False,
        )
        self._jitter = wait_random_exponential(multiplier=first_wait, max=LONGEST_WAIT)
        self._sleep = sleep

    @contextmanager
    def within(self, seconds: float) -> Iterator[Conversation]:
        """Requests that belong together, with the time that their failures may take; ends their connections."""
        try:
            yield Conversation(self, time.monotonic() + seconds)
        finally:
            self._http.close()

    def _wait(self, state: RetryCallState) -> float:
        jitter = self._jitter(state)
        error = state.outcome.exception() if state.outcome else None
        return (_retry_after(error) or 0.0) + jitter


class Conversation:
    """Requests of one question (a listing, a download); see :meth:`DriveClient.within`.

    Attributes:
        files: The API's files.
        changes: Its changes.
    """

    def __init__(self, client: DriveClient, deadline: float) -> None:
        self.files, self.changes = client._api.files(), client._api.changes()  # noqa: SLF001 (one module, one subject)
        self._client, self._deadline = client, deadline

    def ask(self, request: Any, what: str) -> Any:
        """Sends a request until it is answered.

        Args:
            request: Of :attr:`files` or :attr:`changes`.
            what: What is being done, for messages: ``list the folder``.

        Raises:
            DriveError: It failed for good, or again and again.
        """
        client = self._client
        attempts = Retrying(
            retry=retry_if_exception(_passes),
            wait=client._wait,  # noqa: SLF001
            stop=lambda state: _enough(state) or self._too_late(state),
            sleep=client._sleep,  # noqa: SLF001
            reraise=True,
        )
        try:
            return attempts(request.execute)
        except (HttpError, GoogleAuthError, *_BROKEN) as error:
            told = _told(error, what, int(attempts.statistics.get("attempt_number", 1)))
        raise told  # outside of the handler: what the library raised is not carried along

    def extend(self, seconds: float) -> None:
        """Gives what follows as much time again: there was progress."""
        self._deadline = time.monotonic() + seconds

    def _too_late(self, state: RetryCallState) -> bool:
        return time.monotonic() + state.upcoming_sleep > self._deadline


def _passes(error: BaseException) -> bool:
    if isinstance(error, HttpError):
        return int(error.resp.status) in _PASSING_STATUS or bool(_reasons(error) & _PASSING_REASONS)
    if isinstance(error, GoogleAuthError) and not isinstance(error, TransportError):
        return bool(error.retryable)
    return isinstance(error, _BROKEN)


def _retry_after(error: BaseException | None) -> float | None:
    text = error.resp.get("retry-after") if isinstance(error, HttpError) else None
    if text is None:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (when - datetime.now(tz=timezone.utc)).total_seconds())


def _reasons(error: HttpError) -> frozenset[str]:
    """Google's reasons, from both places in which its errors have them."""
    try:
        body = json.loads(error.content)["error"]
        found = [*body.get("errors", []), *body.get("details", [])]
        return frozenset(str(entry["reason"]) for entry in found if "reason" in entry)
    except (ValueError, KeyError, TypeError, AttributeError):
        return frozenset()


def _told(error: Exception, what: str, tries: int) -> DriveError:
    again = f" {tries} times" if tries > 1 else ""
    if isinstance(error, HttpError):
        status, reasons = int(error.resp.status), _reasons(error)
        cause = f"Google Drive answered {status}{again} ({', '.join(sorted(reasons)) or error.resp.reason})"
        known = [_WHAT_TO_DO[reason] for reason in sorted(reasons) if reason in _WHAT_TO_DO]
        if _passes(error):
            known = ["It passes by itself as a rule: nothing is lost, and the next look goes on from here."]
        advice = known[0] if known else _BY_STATUS.get(status, "The request was refused for good; nothing is lost.")
        return DriveError(f"cannot {what}: {cause}. {advice}", status=status, reasons=reasons)
    if isinstance(error, RefreshError) and not _passes(error):
        reason = "invalid_grant" if "invalid_grant" in str(error) else "no token"
        return DriveError(
            f"cannot {what}: Google does not accept the credentials ({reason}). The key was deleted or has expired, "
            "access was withdrawn, or the clock of this machine is wrong. Make a new key, and put it where "
            "NH_DRIVE_CREDENTIALS points to.",
            status=401,
            reasons=frozenset([reason]),
        )
    if isinstance(error, GoogleAuthError) and not _passes(error):
        return DriveError(f"cannot {what}: the credentials are of no use ({type(error).__name__}). Make a new key.")
    return DriveError(
        f"cannot {what}: no answer from Google Drive{again} ({type(error).__name__}). Check the network; nothing is "
        "lost, and the next look goes on from here."
    )
