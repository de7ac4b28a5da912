"""Credentials that a process has from a role and from nowhere else: in no variable, and for a short time.

A profile with ``role_arn`` stands for every place that boto3 knows and other clients do not.
"""

from __future__ import annotations

import itertools
import time
import uuid
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from nh_pipeline_tests.support.aws_calls import Call
    from nh_pipeline_tests.support.aws_server import Aws

_numbers = itertools.count(1)


def role_profile(aws: Aws, folder: Path, role: str, seconds: float = 3600) -> dict[str, str]:
    """The variables of such a process.

    Args:
        aws: the account.
        folder: where its configuration is written.
        role: name of the role.
        seconds: for which AWS accepts each of its sessions. boto3 renews one that has less than fifteen minutes left.
    """
    owner = f"AKIAROLE{aws.account}"
    aws.server.known.add(owner)
    aws.handlers["sts:AssumeRole"] = lambda call: _session(aws, call, seconds)
    config = folder / "config"
    config.write_text(
        f"[default]\nrole_arn = arn:aws:iam::{aws.account}:role/{role}\nsource_profile = owner\n"
        f"[profile owner]\naws_access_key_id = {owner}\naws_secret_access_key = of-the-owner\n"
    )
    kept = {k: v for k, v in aws.environment.items() if k not in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    return {**kept, "AWS_CONFIG_FILE": str(config)}


def _session(aws: Aws, call: Call, seconds: float) -> bytes:
    key, token, end = f"ASIA{next(_numbers):04}{aws.account}", uuid.uuid4().hex, time.time() + seconds
    aws.server.known.add(key)
    aws.server.sessions[key] = (token, end)
    until = datetime.fromtimestamp(end, timezone.utc).isoformat()
    arn = f"{call.params['RoleArn'].replace(':iam:', ':sts:').replace(':role/', ':assumed-role/')}/test"
    return (
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>'
        f"<AssumedRoleUser><Arn>{arn}</Arn><AssumedRoleId>AROA:test</AssumedRoleId></AssumedRoleUser>"
        f"<Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>of-the-role</SecretAccessKey>"
        f"<SessionToken>{token}</SessionToken><Expiration>{until}</Expiration></Credentials>"
        "</AssumeRoleResult></AssumeRoleResponse>"
    ).encode()
