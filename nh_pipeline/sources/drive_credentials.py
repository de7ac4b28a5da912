"""Credentials for Google Drive: read afresh for each use, from a file or from AWS Secrets Manager.

What belongs here: where they are, and what they must look like. What they hold is never part of a message: no
exception of a parser, which carries its input along, leaves this module.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.auth.exceptions import GoogleAuthError
from google.oauth2 import credentials as oauth
from google.oauth2 import service_account

from nh_pipeline.sources.protocol import SourceUnavailable

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

SCOPE = "https://www.googleapis.com/auth/drive.readonly"
SECRETS = "secretsmanager://"
"""Beginning of ``NH_DRIVE_CREDENTIALS`` where a secret is named instead of its ARN."""

_TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 (an address)
_EXPECTED = "Expected the JSON key of a service account, or the token JSON of a person with a refresh token"


def drive_credentials(where: str) -> tuple[Credentials, str]:
    """Reads credentials.

    Args:
        where: Path of a JSON file, ARN of a secret, or ``secretsmanager://<name>``.

    Returns:
        The credentials, with the scope drive.readonly, and the account that they are of, for messages.

    Raises:
        SourceUnavailable: If they cannot be read. The message does not hold any of them.
    """
    if not where:
        raise SourceUnavailable(
            "no credentials for Google Drive. Set NH_DRIVE_CREDENTIALS to the path of a JSON key file, or to the ARN "
            f"of a secret in AWS Secrets Manager (or {SECRETS} and its name)."
        )
    if where.lstrip().startswith("{"):
        raise SourceUnavailable(
            "NH_DRIVE_CREDENTIALS holds the credentials themselves. Put them into a file or a secret, and set it to "
            "the file's path or the secret's ARN."
        )
    place, text = _read(where)
    info = _parsed(text)
    if info is None:
        raise SourceUnavailable(f"the credentials in {place} are no JSON document. {_EXPECTED}.")
    made = _made(info)
    if made is None:
        raise SourceUnavailable(f"the credentials in {place} are incomplete or damaged. {_EXPECTED}.")
    return made


def _read(where: str) -> tuple[str, str]:
    if where.startswith(("arn:", SECRETS)):
        name = where.removeprefix(SECRETS)
        return f"the secret {name!r}", _secret(name)
    try:
        return f"the file {where!r}", Path(where).read_text(encoding="utf-8")
    except OSError as error:
        raise SourceUnavailable(
            f"cannot read the credentials: {error.strerror}: {where!r}. Set NH_DRIVE_CREDENTIALS to a JSON key file "
            "that this process may read."
        ) from None
    except UnicodeDecodeError:
        text = ""
    return f"the file {where!r}", text


def _secret(name: str) -> str:
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        raise SourceUnavailable(
            "credentials in AWS Secrets Manager need boto3. Install it: pip install 'nh-pipeline[aws]'."
        ) from None
    region = name.split(":")[3] if name.startswith("arn:") and name.count(":") > 3 else None  # noqa: PLR2004
    try:
        found = boto3.client("secretsmanager", region_name=region).get_secret_value(SecretId=name)
    except ClientError as error:
        cause = error.response["Error"]["Code"]
    except BotoCoreError as error:
        cause = type(error).__name__
    else:
        return str(found.get("SecretString") or "")
    raise SourceUnavailable(
        f"cannot read the secret {name!r}: {cause}. Check its name and region, and allow this role "
        "secretsmanager:GetSecretValue on it."
    )


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        info = json.loads(text)
    except ValueError:
        return None
    return info if isinstance(info, dict) else None


def _made(info: dict[str, Any]) -> tuple[Credentials, str] | None:
    try:
        if info.get("type") == "service_account":
            made = service_account.Credentials.from_service_account_info(info, scopes=[SCOPE])
            return made, str(info["client_email"])
        person = oauth.Credentials(
            token=None,
            refresh_token=info["refresh_token"],
            client_id=info["client_id"],
            client_secret=info["client_secret"],
            token_uri=info.get("token_uri", _TOKEN_URI),
            scopes=[SCOPE],
        )
        return person, str(info.get("account") or "the person who granted access")
    except (GoogleAuthError, ValueError, KeyError, TypeError):
        return None
