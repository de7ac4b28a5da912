"""CloudFormation for tests: kinds of resources that moto's CloudFormation lacks, made in moto's own services.

Importing it makes them known. What moto has (roles, policies, buckets, stacks) is moto's, but for where it differs from
AWS: a bucket lacks its block of public access; a change set lacks outputs and what only parameters change; one without
changes is refused, where AWS makes one that has failed; a second one for a stack that is not made yet makes a second
stack; policies within a role are not JSON; in lists, AWS::NoValue is an element.
"""

from __future__ import annotations

import json
from typing import Any

from moto.athena.models import athena_backends
from moto.cloudformation import parsing
from moto.cloudformation.models import Change, ChangeSet, CloudFormationBackend, Stack
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.common_models import CloudFormationModel
from moto.glue.models import glue_backends
from moto.iam.models import Role
from moto.s3.models import FakeBucket, s3_backends
from moto.secretsmanager.models import secretsmanager_backends


def _kind(kind: str, make: Any) -> type[CloudFormationModel]:
    """A kind of resource.

    Args:
        kind: as templates name it.
        make: makes it, or makes it anew, of (properties, account, region); returns its id.
    """

    class Made(CloudFormationModel):
        def __init__(self, resource_id: str) -> None:
            self.physical_resource_id = resource_id

        @staticmethod
        def cloudformation_type() -> str:
            return kind

        @staticmethod
        def cloudformation_name_type() -> str:
            return ""

        @classmethod
        def has_cfn_attr(cls, attr: str) -> bool:
            return False

        @classmethod
        def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **_):
            return cls(make(cloudformation_json["Properties"], account_id, region_name))

        @classmethod
        def update_from_cloudformation_json(
            cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name
        ):
            return cls(make(cloudformation_json["Properties"], account_id, region_name))

    return Made


def _database(properties: dict[str, Any], account: str, region: str) -> str:
    wanted, glue = properties["DatabaseInput"], glue_backends[account][region]
    if wanted["Name"] not in glue.databases:
        glue.create_database(wanted["Name"], wanted)
    return wanted["Name"]


def _job(properties: dict[str, Any], account: str, region: str) -> str:
    glue_backends[account][region].create_job(
        name=properties["Name"],
        role=properties["Role"],
        command=properties["Command"],
        description=properties["Description"],
        log_uri="",
        execution_property=properties["ExecutionProperty"],
        default_arguments=properties["DefaultArguments"],
        non_overridable_arguments={},
        connections={},
        max_retries=properties["MaxRetries"],
        allocated_capacity=0,
        timeout=properties["Timeout"],
        max_capacity=0.0,
        security_configuration="",
        tags={},
        notification_property={},
        glue_version=properties["GlueVersion"],
        number_of_workers=properties["NumberOfWorkers"],
        worker_type=properties["WorkerType"],
        code_gen_configuration_nodes={},
        execution_class="STANDARD",
        source_control_details={},
    )
    return properties["Name"]


def _workgroup(properties: dict[str, Any], account: str, region: str) -> str:
    athena, configuration = athena_backends[account][region], dict(properties["WorkGroupConfiguration"])
    configuration["BytesScannedCutoffPerQuery"] = int(configuration["BytesScannedCutoffPerQuery"])
    athena.work_groups.pop(properties["Name"], None)
    athena.create_work_group(properties["Name"], configuration, properties["Description"], [])
    return properties["Name"]


def _secret(properties: dict[str, Any], account: str, region: str) -> str:
    secrets = secretsmanager_backends[account][region]
    if properties["Name"] not in secrets.secrets:
        secrets.create_secret(properties["Name"], None, None, properties["Description"], [], None, None, [], False)
    return secrets.secrets.get(properties["Name"]).arn


def _bucket_policy(properties: dict[str, Any], account: str, region: str) -> str:
    return f"{properties['Bucket']}-policy"  # moto's servers speak http, which it refuses


KINDS = [
    _kind("AWS::Glue::Database", _database),
    _kind("AWS::Glue::Job", _job),
    _kind("AWS::Athena::WorkGroup", _workgroup),
    _kind("AWS::SecretsManager::Secret", _secret),
    _kind("AWS::S3::BucketPolicy", _bucket_policy),
]


def _with_block(made: Any) -> Any:
    def create(cls, resource_name, cloudformation_json, account_id, region_name, **more):
        bucket = made(resource_name, cloudformation_json, account_id, region_name, **more)
        block = cloudformation_json["Properties"].get("PublicAccessBlockConfiguration")
        if block:
            written = {name: str(value).lower() for name, value in block.items()}
            s3_backends[account_id]["aws"].put_public_access_block(resource_name, written)
        return bucket

    return classmethod(create)


def _with_outputs(applied: Any) -> Any:
    def apply(self: ChangeSet) -> None:
        applied(self)
        self.stack.template_dict = self.template_dict
        self.stack.output_map = self.stack._create_output_map()

    return apply


def _differences(self: ChangeSet) -> list[Change]:
    known = self.stack.stack_parameters
    changed = {name: value for name, value in self.parameters.items() if known.get(name) != value}
    by_action = self.stack.resource_map.build_resource_diff(self.template_dict, changed)
    kinds = {**self.stack.template_dict.get("Resources", {}), **self.template_dict["Resources"]}
    return [Change(action, name, kinds[name]["Type"]) for action, names in by_action.items() for name in names]


def _one_stack(made: Any) -> Any:
    def create_change_set(self: CloudFormationBackend, stack_name: str, **more: Any) -> Any:
        pending = [i for i, s in self.stacks.items() if (s.name, s.status) == (stack_name, "REVIEW_IN_PROGRESS")]
        for stack_id in pending:
            del self.stacks[stack_id]
        return made(self, stack_name=stack_name, **more)

    return create_change_set


def _without_no_value(clean: Any) -> Any:
    def clean_json(resource_json: Any, resources_map: Any) -> Any:
        cleaned = clean(resource_json, resources_map)
        return [v for v in cleaned if v is not None] if isinstance(resource_json, list) else cleaned

    return clean_json


def _as_json(put: Any) -> Any:
    def put_policy(self: Role, policy_name: str, policy_json: Any) -> Any:
        return put(self, policy_name, policy_json if isinstance(policy_json, str) else json.dumps(policy_json))

    return put_policy


ChangeSet.apply = _with_outputs(ChangeSet.apply)
ChangeSet.diff = _differences
CloudFormationBackend.create_change_set = _one_stack(CloudFormationBackend.create_change_set)
CloudFormationResponse._validate_different_update = lambda *_: None
Stack.has_parameters = lambda self, other: {**self.stack_parameters, **other} == self.stack_parameters
parsing.clean_json = _without_no_value(parsing.clean_json)
Role.put_policy = _as_json(Role.put_policy)
FakeBucket.create_from_cloudformation_json = _with_block(FakeBucket.create_from_cloudformation_json)
for _known in (parsing.get_model_list, parsing.get_model_map, parsing.get_name_type_map):
    _known.cache_clear()
