"""One environment as a CloudFormation stack: what a deployment would change, changing it, and what came out.

Nothing is changed but through a change set that has been shown. What is proposed and not executed is taken back, so a
dry run leaves nothing behind.
"""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, WaiterError

import nh_pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PENDING = "REVIEW_IN_PROGRESS"
"""Of a stack that has a change set and nothing else."""

_NOTHING = ("didn't contain changes", "No updates are to be performed")
_WORDS = {
    "AWS::S3::Bucket": "bucket",
    "AWS::S3::BucketPolicy": "rules of the bucket",
    "AWS::Glue::Database": "database",
    "AWS::Glue::Job": "Glue job",
    "AWS::Athena::WorkGroup": "Athena workgroup",
    "AWS::SecretsManager::Secret": "secret",
    "AWS::IAM::InstanceProfile": "instance profile",
    "AWS::IAM::ManagedPolicy": "permissions",
    "AWS::IAM::Role": "role",
}
_ACTIONS = {"Add": "create", "Modify": "change", "Remove": "remove", "Import": "take over", "Dynamic": "decide later"}


class DeployError(Exception):
    """A deployment cannot begin or did not succeed; the message says why and what to do."""


@dataclass(frozen=True)
class Change:
    """One resource that a deployment creates, changes, replaces or removes."""

    action: str
    kind: str
    name: str
    details: str = ""


@dataclass
class Proposal:
    """A change set.

    Attributes:
        id: its ARN.
        creates: whether there is no stack yet.
        changes: what it would do to resources; None if all is as it should be.
        executed: whether it has been carried out.
    """

    id: str
    creates: bool
    changes: tuple[Change, ...] | None = None
    executed: bool = False


@cache
def template() -> str:
    """The template: of the source tree, or of the installed package."""
    package = Path(nh_pipeline.__file__).parent
    places = (package / "aws" / "template.yaml", package.parent / "deploy" / "aws" / "template.yaml")
    return next(p for p in places if p.exists()).read_text(encoding="utf-8")


@dataclass(frozen=True)
class Stack:
    """The stack of an environment; ``pause`` is in seconds, between two looks while AWS works."""

    name: str
    client: Any
    pause: float = 5

    def outputs(self) -> dict[str, str]:
        """What the stack says of itself; nothing if it is not there."""
        return {o["OutputKey"]: o["OutputValue"] for o in (self._described() or {}).get("Outputs", [])}

    @contextmanager
    def proposed(self, parameters: Mapping[str, str]) -> Iterator[Proposal]:
        """Has AWS look at the template and work out what would change; takes the proposal back in the end.

        Parameters of the template that are not given stay as they are in the stack.

        Raises:
            DeployError: a parameter is not the template's, or the stack is in no state to be changed.
        """
        summary = self.client.get_template_summary(TemplateBody=template())
        known = [p["ParameterKey"] for p in summary["Parameters"]]
        strange = sorted(set(parameters) - set(known))
        if strange:
            raise DeployError(f"the template has no parameter {', '.join(strange)}; it has {', '.join(sorted(known))}")
        stack = self._described()
        self._must_be_ready(stack)
        creates = stack is None or stack["StackStatus"] == _PENDING
        kept = set() if stack is None or creates else {p["ParameterKey"] for p in stack.get("Parameters", [])}
        made: str = self.client.create_change_set(
            StackName=self.name,
            ChangeSetName=f"nh-{uuid.uuid4().hex}",
            ChangeSetType="CREATE" if creates else "UPDATE",
            TemplateBody=template(),
            Capabilities=["CAPABILITY_NAMED_IAM"],
            Parameters=[
                *({"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()),
                *({"ParameterKey": k, "UsePreviousValue": True} for k in known if k in kept - set(parameters)),
            ],
        )["Id"]
        proposal = Proposal(made, creates)
        try:
            proposal.changes = self._changes(made)
            yield proposal
        finally:
            if not proposal.executed:
                self._take_back(made)

    def execute(self, proposal: Proposal) -> None:
        """Makes the changes and waits until they are made.

        Raises:
            DeployError: AWS could not make them, with its reason; everything is as it was.
        """
        self.client.execute_change_set(StackName=self.name, ChangeSetName=proposal.id)
        proposal.executed = True
        done = "stack_create_complete" if proposal.creates else "stack_update_complete"
        try:
            self.client.get_waiter(done).wait(
                StackName=self.name, WaiterConfig={"Delay": self.pause, "MaxAttempts": 360}
            )
        except WaiterError as error:
            raise DeployError(self._failure()) from error

    def _described(self) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self.client.describe_stacks(StackName=self.name)["Stacks"][0]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError" and "exist" in error.response["Error"]["Message"]:
                return None
            raise
        return None if found["StackStatus"] == "DELETE_COMPLETE" else found

    def _must_be_ready(self, stack: Mapping[str, Any] | None) -> None:
        status = stack["StackStatus"] if stack else ""
        if status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"):
            raise DeployError(
                f"the stack {self.name} was never completed ({status}): {self._reason()}. Delete it (aws "
                f"cloudformation delete-stack --stack-name {self.name}), mend the cause, and deploy again"
            )
        if status.endswith("_IN_PROGRESS") and status != _PENDING:
            raise DeployError(f"the stack {self.name} is being changed right now ({status}): wait until that is over")
        if status.endswith("_FAILED"):
            raise DeployError(
                f"the stack {self.name} is stuck ({status}): {self._reason()}. Mend the cause, then run aws "
                f"cloudformation continue-update-rollback --stack-name {self.name}, and deploy again"
            )

    def _changes(self, change_set: str) -> tuple[Change, ...] | None:
        waiter = self.client.get_waiter("change_set_create_complete")
        try:
            waiter.wait(
                StackName=self.name, ChangeSetName=change_set, WaiterConfig={"Delay": self.pause, "MaxAttempts": 120}
            )
        except WaiterError as error:
            reason = str(error.last_response.get("StatusReason", error))
            if any(words in reason for words in _NOTHING):
                return None
            told = "; ".join(self._refused(change_set)) or reason
            raise DeployError(f"AWS refuses the template or a parameter: {told}") from error
        pages = self.client.get_paginator("describe_change_set").paginate(StackName=self.name, ChangeSetName=change_set)
        return tuple(_change(c["ResourceChange"]) for page in pages for c in page["Changes"] if "ResourceChange" in c)

    def _refused(self, change_set: str) -> list[str]:
        """What a change set failed of, by resource: since 2025 its own reason only says that there is such a list."""
        try:
            answer = self.client.describe_events(ChangeSetName=change_set, Filters={"FailedEvents": True})
        except ClientError:  # who may not see them hears the change set's reason
            return []
        failed = [e for e in answer["OperationEvents"] if e["EventType"] == "VALIDATION_ERROR"]
        kinds = [_WORDS.get(e["ResourceType"], e["ResourceType"]) for e in failed]
        return [
            f"{e['LogicalResourceId']} ({k}): {e['ValidationStatusReason']}" for e, k in zip(failed, kinds, strict=True)
        ]

    def _take_back(self, change_set: str) -> None:
        """Deletes a change set that was not executed, and the stack if it holds nothing else."""
        found = self._described()
        if found is not None and found["StackStatus"] == _PENDING:
            self.client.delete_stack(StackName=self.name)  # and the change set with it
            self.client.get_waiter("stack_delete_complete").wait(
                StackName=found["StackId"], WaiterConfig={"Delay": self.pause, "MaxAttempts": 60}
            )
        elif found is not None:
            self.client.delete_change_set(StackName=self.name, ChangeSetName=change_set)

    def _failure(self) -> str:
        status = (self._described() or {}).get("StackStatus", "gone")
        return f"AWS could not make the changes to the stack {self.name} ({status}): {self._reason()}"

    def _reason(self) -> str:
        """Of the last failure: what failed first, not what was given up because of it."""
        events = self.client.describe_stack_events(StackName=self.name)["StackEvents"]  # the last one first
        failed = []
        for event in events:
            if event["ResourceStatus"].endswith("_FAILED"):
                failed.append(event)
            elif event.get("ResourceStatusReason") == "User Initiated":  # where the last operation began
                break
        told = [
            f"{e['LogicalResourceId']}: {e.get('ResourceStatusReason', e['ResourceStatus'])}"
            for e in reversed(failed)
            if "cancelled" not in e.get("ResourceStatusReason", "")
        ]
        return told[0] if told else "see its events in the CloudFormation console"


def _change(found: Mapping[str, Any]) -> Change:
    action = _ACTIONS.get(found["Action"], found["Action"])
    if found.get("Replacement") == "True":
        action = "REPLACE"
    elif found.get("Replacement") == "Conditional":
        action = "change, perhaps REPLACE"
    targets = (d.get("Target", {}) for d in found.get("Details", []))
    details = sorted({t["Name"] if t.get("Name") else t["Attribute"] for t in targets if t})
    return Change(
        action=action,
        kind=_WORDS.get(found["ResourceType"], found["ResourceType"]),
        name=str(found.get("PhysicalResourceId") or found["LogicalResourceId"]),
        details=", ".join(details),
    )
