"""What a role may do, as IAM decides it: for policies as this project's template writes them, and no others."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.backends import get_backend

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nh_pipeline_tests.support.aws_calls import Call
    from nh_pipeline_tests.support.aws_server import Aws


@dataclass(frozen=True)
class Role:
    """The statements of a role's policies, as they are deployed: all of them allow."""

    statements: tuple[dict[str, Any], ...]

    @classmethod
    def of(cls, aws: Aws, name: str) -> Role:
        iam, documents = aws.client("iam"), []
        inline = iam.list_role_policies(RoleName=name)["PolicyNames"]
        documents += [iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"] for policy in inline]
        for attached in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            arn = attached["PolicyArn"]
            version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
            documents.append(iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"])
        return cls(tuple(s for document in documents for s in document["Statement"]))

    @property
    def grants(self) -> set[str]:
        """Every action that it may take on something."""
        return {action for s in self.statements for action in _list(s["Action"])}

    def may(self, action: str, resource: str, context: dict[str, str] | None = None) -> bool:
        """Whether a statement allows it.

        Args:
            action: ``s3:GetObject``.
            resource: ARN.
            context: keys of conditions that the request has.
        """
        return any(
            action in _list(s["Action"])
            and any(fnmatch.fnmatchcase(resource, pattern) for pattern in _list(s["Resource"]))
            and all(_holds(*condition, context or {}) for condition in s.get("Condition", {}).items())
            for s in self.statements
            if s["Effect"] == "Allow"
        )

    def lacks(self, calls: Iterable[Call], aws: Aws) -> set[tuple[str, str]]:
        """The permissions that calls needed and the role does not give."""
        return {
            (action, resource)
            for call in calls
            for action, resource in permissions(call, aws)
            if not self.may(action, resource, _context(call))
        }


def full_arn(aws: Aws, resource: str) -> str:
    """A resource as AWS knows it: secrets are asked for by name, and their ARNs end with six characters more."""
    place, _, name = resource.partition(":secret:")
    secrets = get_backend("secretsmanager")[aws.account][aws.region].secrets
    return secrets.get(name).arn if name and secrets.get(name) else f"{place}{':secret:' if name else ''}{name}"


def permissions(call: Call, aws: Aws) -> Iterator[tuple[str, str]]:
    """What AWS asks for; of a query, in the workgroup that it runs in."""
    for action, resource in call.permissions:
        if call.service == "athena" and "QueryExecutionId" in call.params:
            query = get_backend("athena")[aws.account][aws.region].executions[call.params["QueryExecutionId"]]
            yield action, f"{resource.rpartition('/')[0]}/{query.workgroup.name}"
        elif action != "sts:GetCallerIdentity":  # which needs no permission
            yield action, full_arn(aws, resource)


def _context(call: Call) -> dict[str, str]:
    return {"s3:prefix": call.params["prefix"]} if call.service == "s3" and "prefix" in call.params else {}


def _holds(operator: str, wanted: dict[str, Any], context: dict[str, str]) -> bool:
    if operator != "StringLike":
        raise NotImplementedError(operator)
    return all(
        key in context and any(fnmatch.fnmatchcase(context[key], pattern) for pattern in _list(patterns))
        for key, patterns in wanted.items()
    )


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else value
