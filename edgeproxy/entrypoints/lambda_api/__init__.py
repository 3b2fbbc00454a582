"""Lambda's API, a Handler."""

from edgeproxy.entrypoints.lambda_api.api import LambdaApi

__all__ = ["LambdaApi"]
