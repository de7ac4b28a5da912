"""CloudFormation's early validation, for moto: a change set that would make what is there already has failed.

As on AWS since November 2025, its own reason names no resource; DescribeEvents does. Importing it makes moto do so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.athena.models import athena_backends
from moto.cloudformation.models import ChangeSet, CloudFormationBackend
from moto.cloudformation.parsing import ResourceMap, clean_json
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult
from moto.glue.models import glue_backends
from moto.iam.models import iam_backends
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

_REASON = (
    "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]. To troubleshoot Early "
    "Validation errors, use the DescribeEvents API for detailed failure information."
)

# By kind: where a resource's name is, and the names that an account (buckets: all accounts) has in a region.
_NAMES: dict[str, tuple[str, Callable[[str, str], Collection[str]]]] = {
    "AWS::S3::Bucket": ("BucketName", lambda *_: {n for b in list(s3_backends.values()) for n in b["aws"].buckets}),
    "AWS::Glue::Database": ("DatabaseInput/Name", lambda account, region: glue_backends[account][region].databases),
    "AWS::Glue::Job": ("Name", lambda account, region: glue_backends[account][region].jobs),
    "AWS::Athena::WorkGroup": ("Name", lambda account, region: athena_backends[account][region].work_groups),
    "AWS::IAM::Role": ("RoleName", lambda account, _: {r.name for r in iam_backends[account]["aws"].roles.values()}),
    "AWS::SecretsManager::Secret": ("Name", lambda account, region: secretsmanager_backends[account][region].secrets),
}


def _conflicts(change_set: ChangeSet, account: str, region: str) -> Iterator[dict[str, Any]]:
    stack, template = change_set.stack, change_set.template_dict
    known = ResourceMap(stack.stack_id, stack.name, change_set.parameters, {}, region, account, template, None)
    known.load()
    made = set() if change_set.change_set_type == "CREATE" else set(stack.resource_map._parsed_resources)
    for name, resource in template["Resources"].items():
        condition = resource.get("Condition")
        if name in made or resource["Type"] not in _NAMES or (condition and not known.lazy_condition_map[condition]):
            continue
        path, names = _NAMES[resource["Type"]]
        value: Any = resource["Properties"]
        for step in path.split("/"):
            value = value[step]
        value = clean_json(value, known)
        if value in names(account, region):
            yield {
                "EventId": f"validation-{name}",
                "EventType": "VALIDATION_ERROR",
                "OperationType": "CREATE_CHANGESET",
                "LogicalResourceId": name,
                "ResourceType": resource["Type"],
                "ValidationName": "NAME_CONFLICT_VALIDATION",
                "ValidationStatus": "FAILED",
                "ValidationFailureMode": "FAIL",
                "ValidationPath": f"/Resources/{name}/Properties/{path}",
                "ValidationStatusReason": f"Resource of type '{resource['Type']}' with identifier '{value}' already "
                "exists.",
            }


def _validated(made: Any) -> Any:
    def create_change_set(self: CloudFormationBackend, **given: Any) -> Any:
        change_set_id, stack_id = made(self, **given)
        change_set = self.change_sets[change_set_id]
        change_set.failed = list(_conflicts(change_set, self.account_id, self.region_name))
        if change_set.failed:
            change_set.status, change_set.execution_status = "FAILED", "UNAVAILABLE"
            change_set.status_reason = _REASON
        return change_set_id, stack_id

    return create_change_set


def _describe_events(self: CloudFormationResponse) -> ActionResult:
    """By the change set's ARN: AWS does not find it by its name alone."""
    failed = self.cloudformation_backend.change_sets[self._get_param("ChangeSetName")].failed
    return ActionResult({"OperationEvents": failed})


CloudFormationBackend.create_change_set = _validated(CloudFormationBackend.create_change_set)
CloudFormationResponse.describe_events = _describe_events
