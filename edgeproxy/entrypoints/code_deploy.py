"""What functions and people tell deployments: CodeDeploy's call for hooks, CloudWatch's for alarms.

Beside them, deployments and alarms as the control API shows them.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from edgeproxy.awslambda.deployments import Deployment, Deployments, Status
from edgeproxy.entrypoints.target_api import ApiRefusal, Document, Operation

__all__ = ["ALARM_STATES", "deployment_document", "deployment_operations"]

ALARM_STATES: Final = ("OK", "ALARM", "INSUFFICIENT_DATA")


def deployment_operations(deployments: Deployments) -> Mapping[str, Operation]:
    """The operations by their targets."""

    def put_hook_status(call: Document) -> Document:
        deployment = deployments.all.get(str(call.get("deploymentId", "")))
        if deployment is None:
            raise ApiRefusal(
                "DeploymentDoesNotExistException",
                f"The deployment {call.get('deploymentId')} could not be found",
            )
        execution_id, status = call.get("lifecycleEventHookExecutionId"), call.get("status")
        hooks = (deployment.before, deployment.after)
        hook = next((each for each in hooks if each.execution_id == execution_id), None)
        if hook is None or hook.status in (Status.PENDING, Status.SKIPPED):
            raise ApiRefusal(
                "InvalidLifecycleEventHookExecutionIdException",
                f"{execution_id} is no lifecycle event hook execution that runs",
            )
        if status not in (Status.SUCCEEDED, Status.FAILED):
            raise ApiRefusal(
                "InvalidLifecycleEventHookExecutionStatusException",
                "the status of a lifecycle event hook execution is Succeeded or Failed",
            )
        if hook.status is not Status.IN_PROGRESS:
            raise ApiRefusal(
                "LifecycleEventAlreadyCompletedException",
                f"{hook.name} of {deployment.id} has ended",
            )
        deployments.report(deployment, hook, Status(status))
        return {"lifecycleEventHookExecutionId": hook.execution_id}

    def set_alarm_state(call: Document) -> Document:
        name, state = call.get("AlarmName"), call.get("StateValue")
        if not isinstance(name, str) or state not in ALARM_STATES:
            message = f"StateValue must be one of {', '.join(ALARM_STATES)}"
            raise ApiRefusal("ValidationError", message)
        if name not in deployments.alarms:
            raise ApiRefusal("ResourceNotFound", f"no deployment has watched an alarm {name}", 404)
        deployments.set_alarm(name, state)
        return {}

    return {
        "CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus": put_hook_status,
        "GraniteServiceVersion20100801.SetAlarmState": set_alarm_state,
    }


def deployment_document(deployment: Deployment) -> dict[str, object]:
    """One deployment; ``weight`` is the new version's share from 0 to 1."""
    preference = deployment.preference
    created = datetime.fromtimestamp(deployment.created_s, UTC)
    return {
        "id": deployment.id,
        "function": deployment.function,
        "alias": preference.alias,
        "config": preference.config,
        "from": deployment.old,
        "to": deployment.new,
        "created": created.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "status": deployment.status,
        "weight": deployment.share,
        "why": deployment.why,
        "hooks": [
            {"event": hook.name, "function": hook.function, "status": hook.status}
            for hook in (deployment.before, deployment.after)
            if hook.function
        ],
        "alarms": list(preference.alarms),
    }
