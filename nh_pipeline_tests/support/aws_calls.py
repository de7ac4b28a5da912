"""Requests to AWS read as IAM and the API's reference name them: action, parameters, and the permissions needed."""

from __future__ import annotations

import io
import json
import re
import urllib.parse
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_CREDENTIAL = re.compile(r"Credential=([^/,]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")


class AwsError(Exception):
    """An answer of AWS that is an error."""

    def __init__(self, code: str, message: str, status: int = 400, headers: Iterable[tuple[str, str]] = ()):
        super().__init__(code, message)
        self.code, self.message, self.status, self.headers = code, message, status, list(headers)


@dataclass(frozen=True)
class Call:
    """One request.

    Attributes:
        service: As in permissions: ``s3``, ``glue``, ``secretsmanager``, ``sts``, …
        action: Of the API: ``GetTable``, ``PutObject``, ``ListObjectsV2``.
        params: The JSON body or the form; for S3 the query, with ``Bucket`` and ``Key``.
        permissions: (action, resource) of IAM, all of which AWS asks for.
    """

    account: str
    region: str
    service: str
    action: str
    params: dict[str, Any]
    permissions: tuple[tuple[str, str], ...]
    key_id: str
    headers: dict[str, str] = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        """``glue:GetTable``."""
        return f"{self.service}:{self.action}"

    @property
    def resources(self) -> list[str]:
        """ARNs."""
        return [resource for _, resource in self.permissions]


def call_of(environ: dict[str, Any]) -> Call:
    """The call that a WSGI request is.

    Raises:
        AwsError: it is not signed.
    """
    headers = {k[5:].replace("_", "-").lower(): v for k, v in environ.items() if k.startswith("HTTP_")}
    query = dict(urllib.parse.parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    signed = _CREDENTIAL.search(headers.get("authorization", ""))
    scope = signed.groups() if signed else _presigned(query)
    if scope is None:
        raise AwsError("AccessDenied", "Access Denied", 403)  # as S3 says to the unsigned
    key_id, region, service = scope
    account = key_id[-12:]
    if service == "s3":
        action, params, permissions = _s3(environ, headers, query)
    else:
        params = _body(environ)
        target = headers.get("x-amz-target")
        action = target.rpartition(".")[2] if target else str(params.pop("Action", ""))
        permissions = _permissions(service, action, params, f"{region}:{account}")
    return Call(account, region, service, action, params, tuple(permissions), key_id, headers)


def _presigned(query: dict[str, str]) -> tuple[str, str, str] | None:
    parts = query.get("X-Amz-Credential", "").split("/")
    return (parts[0], parts[2], parts[3]) if len(parts) == 5 else None


def _body(environ: dict[str, Any]) -> dict[str, Any]:
    content = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(content)
    if "json" in environ.get("CONTENT_TYPE", ""):
        return json.loads(content or b"{}")
    return dict(urllib.parse.parse_qsl(content.decode()))


# S3: REST to action, and to the permissions that IAM knows it by.
_S3_BUCKET = {"HEAD": ("HeadBucket", "ListBucket"), "PUT": ("CreateBucket",) * 2, "DELETE": ("DeleteBucket",) * 2,
              "GET": ("ListObjects", "ListBucket"), "POST": ("DeleteObjects", "DeleteObject")}  # fmt: skip
_S3_OBJECT = {"HEAD": ("HeadObject", "GetObject"), "GET": ("GetObject",) * 2, "PUT": ("PutObject",) * 2,
              "DELETE": ("DeleteObject",) * 2, "POST": ("CreateMultipartUpload", "PutObject")}  # fmt: skip
_S3_SETTINGS = {"encryption": "EncryptionConfiguration", "lifecycle": "LifecycleConfiguration",
                "publicAccessBlock": "BucketPublicAccessBlock", "versioning": "BucketVersioning",
                "policy": "BucketPolicy", "location": "BucketLocation", "tagging": "BucketTagging",
                "ownershipControls": "BucketOwnershipControls"}  # fmt: skip


def _s3(
    environ: dict[str, Any], headers: dict[str, str], query: dict[str, str]
) -> tuple[str, dict[str, Any], list[Any]]:
    method = environ["REQUEST_METHOD"]
    bucket, _, key = environ["PATH_INFO"].lstrip("/").partition("/")
    bucket_arn = f"arn:aws:s3:::{bucket}"
    params = {**query, "Bucket": bucket, "Key": key}
    if not bucket:
        return "ListBuckets", params, [("s3:ListAllMyBuckets", "*")]
    if not key:
        setting = next((s for q, s in _S3_SETTINGS.items() if q in query), None)
        if setting:
            name = {"GET": "Get", "PUT": "Put", "DELETE": "Delete"}[method] + setting
            return name, params, [(f"s3:{name}", bucket_arn)]
        if "uploads" in query:
            return "ListMultipartUploads", params, [("s3:ListBucketMultipartUploads", bucket_arn)]
        action, permission = _S3_BUCKET[method]
        if "delete" in query:
            length = int(environ.get("CONTENT_LENGTH") or 0)
            content = environ["wsgi.input"].read(length)
            environ["wsgi.input"] = io.BytesIO(content)
            params["Keys"] = [urllib.parse.unquote(k) for k in re.findall(r"<Key>(.*?)</Key>", content.decode())]
            return action, params, [(f"s3:{permission}", f"{bucket_arn}/{k}") for k in params["Keys"]]
        return ("ListObjectsV2" if "list-type" in query else action), params, [(f"s3:{permission}", bucket_arn)]
    action, permission = _S3_OBJECT[method]
    arn = f"{bucket_arn}/{key}"
    if "uploadId" in query:
        action, permission = {"PUT": ("UploadPart", "PutObject"), "POST": ("CompleteMultipartUpload", "PutObject"),
                              "DELETE": ("AbortMultipartUpload",) * 2, "GET": ("ListParts", "ListMultipartUploadParts")
                              }[method]  # fmt: skip
    elif "tagging" in query:
        action = permission = {"GET": "Get", "PUT": "Put", "DELETE": "Delete"}[method] + "ObjectTagging"
    permissions = [(f"s3:{permission}", arn)]
    if source := headers.get("x-amz-copy-source"):
        action = "CopyObject" if action == "PutObject" else "UploadPartCopy"
        permissions.append(("s3:GetObject", f"arn:aws:s3:::{urllib.parse.unquote(source).lstrip('/')}"))
    return action, params, permissions


def _permissions(service: str, action: str, params: dict[str, Any], place: str) -> list[tuple[str, str]]:
    name = f"{service}:{action}"
    if service == "glue":
        if "JobName" in params or "Job" in action:
            job = params.get("JobName") or params.get("Name") or "*"
            return [(name, f"arn:aws:glue:{place}:job/{job}")]
        table = params.get("Name") or params.get("TableInput", {}).get("Name") if "Table" in action else None
        table = params.get("TableName", table)
        database = params.get("DatabaseName") or params.get("DatabaseInput", {}).get("Name")
        database = database or (params.get("Name") if "Database" in action else None)
        catalog = f"arn:aws:glue:{place}"
        found = [(name, f"{catalog}:catalog")]
        if database or action == "GetDatabases":
            found.append((name, f"{catalog}:database/{database or '*'}"))
        if table or action in ("GetTables", "DeleteDatabase"):
            found.append((name, f"{catalog}:table/{database}/{table or '*'}"))
        return found
    if service == "secretsmanager":
        secret = str(params.get("SecretId") or params.get("Name") or "*")
        arn = secret if secret.startswith("arn:") else f"arn:aws:secretsmanager:{place}:secret:{secret}"
        return [(name, arn)]
    if name == "sts:AssumeRole":
        return [(name, params["RoleArn"])]
    index = f"/index/{params['IndexName']}" if "IndexName" in params else ""
    resources = {
        "athena": f"arn:aws:athena:{place}:workgroup/{params.get('WorkGroup', 'primary')}",
        "dynamodb": f"arn:aws:dynamodb:{place}:table/{params.get('TableName', '*')}{index}",
    }
    return [(name, resources.get(service, "*"))]
