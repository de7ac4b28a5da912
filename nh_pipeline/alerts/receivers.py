"""Who gets the messages: a webhook, and a mailbox. One arrives, or there is an error, which holds no secret."""

from __future__ import annotations

import smtplib
import ssl
from abc import ABC, abstractmethod
from dataclasses import dataclass
from email.message import EmailMessage
from typing import TYPE_CHECKING

import requests
from tenacity import Retrying, stop_after_attempt, wait_exponential

from nh_pipeline.errors import InfrastructureError

if TYPE_CHECKING:
    from pydantic import SecretStr

    from nh_pipeline.settings import Settings

ATTEMPTS, TIMEOUT = 3, 5.0
"""How often a message is sent, and how many seconds a server may take: a sensor has 60 of them for all."""


class NotDeliveredError(InfrastructureError):
    """Nobody can say that a message has arrived. It is sent again with the next tick."""


class Receiver(ABC):
    """Somebody who gets messages."""

    by: str
    name: str
    variable: str

    def send(self, subject: str, text: str) -> None:
        """Sends a message, several times if need be.

        Raises:
            NotDeliveredError: it was not taken.
        """
        try:
            again = Retrying(stop=stop_after_attempt(ATTEMPTS), wait=wait_exponential(max=4), reraise=True)
            again(self._send, subject, text)
        except (OSError, requests.RequestException, smtplib.SMTPException) as error:
            told = _reason(error)
        else:
            return
        # Outside of the handler, so that no error has this one's cause, whose text may hold the address.
        raise NotDeliveredError(
            f"The {self.name} did not take an alert ({told}): it is sent again. What to do: compare {self.variable} "
            "with what its server expects; nh alerts test tries it"
        )

    @abstractmethod
    def _send(self, subject: str, text: str) -> None:
        """Sends it once."""


def _reason(error: Exception) -> str:
    """The kind of an error, and the server's number: never its text."""
    response = getattr(error, "response", None)
    number = getattr(error, "smtp_code", None) or getattr(response, "status_code", None)
    return f"{type(error).__name__}{f' {number}' if number else ''}"


@dataclass(frozen=True)
class Webhook(Receiver):
    """Gets ``{"text": …}`` as JSON by POST: Slack, Mattermost, Teams' workflows, or one's own."""

    url: SecretStr
    by = name = "webhook"
    variable = "NH_ALERTS_WEBHOOK"

    def _send(self, _: str, text: str) -> None:
        # Not where it redirects to: a POST would become a GET, whose answer says nothing.
        answer = requests.post(self.url.get_secret_value(), json={"text": text}, timeout=TIMEOUT, allow_redirects=False)
        if not answer.ok or answer.is_redirect:
            raise requests.HTTPError(response=answer)


@dataclass(frozen=True)
class Mailbox(Receiver):
    """Gets e-mail through an SMTP server, encrypted (STARTTLS) unless the server is trusted to be near."""

    host: str
    port: int
    sender: str
    to: str
    user: str
    password: SecretStr | None
    starttls: bool
    by, name = "mail", "mail server"
    variable = "NH_ALERTS_MAIL_… and NH_ALERTS_SMTP_…"

    def _send(self, subject: str, text: str) -> None:
        mail = EmailMessage()
        mail["Subject"], mail["From"], mail["To"] = subject, self.sender, self.to
        mail.set_content(text)
        with smtplib.SMTP(self.host, self.port, timeout=TIMEOUT) as server:
            if self.starttls:
                server.starttls(context=ssl.create_default_context())
            if self.user and self.password:
                server.login(self.user, self.password.get_secret_value())
            if unreached := server.send_message(mail):
                raise smtplib.SMTPRecipientsRefused(unreached)


def receivers(settings: Settings) -> list[Receiver]:
    """Those of the settings; none unless they name some."""
    found: list[Receiver] = []
    if settings.alerts_webhook:
        found.append(Webhook(settings.alerts_webhook))
    if settings.alerts_mail_to:
        found.append(
            Mailbox(
                host=settings.alerts_smtp_host,
                port=settings.alerts_smtp_port,
                sender=settings.alerts_mail_from,
                to=settings.alerts_mail_to,
                user=settings.alerts_smtp_user,
                password=settings.alerts_smtp_password,
                starttls=settings.alerts_smtp_starttls,
            )
        )
    return found
