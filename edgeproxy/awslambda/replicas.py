"""Replicas: what Lambda@Edge makes of a function, to run it in a Region near the viewer.

A replica shares the function's code and concurrency. It runs under a name, an ARN and a log group
of its own, which tell that the function comes from us-east-1 (LE-EVT-25, LE-LOG-01).
"""

from dataclasses import replace

from edgeproxy.runtimes.invocation import FunctionSpec

__all__ = ["replica_spec"]


def replica_spec(spec: FunctionSpec, region: str) -> FunctionSpec:
    """The spec of the replica in ``region``; the function's own when that is empty."""
    if not region:
        return spec
    account = spec.arn.split(":")[4]
    arn = f"arn:aws:lambda:{region}:{account}:function:us-east-1.{spec.name}"
    return replace(spec, edge=True, region=region, arn=arn)
