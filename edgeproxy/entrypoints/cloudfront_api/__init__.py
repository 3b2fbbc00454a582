"""The CloudFront API and the CloudFront KeyValueStore API, each a Handler."""

from edgeproxy.entrypoints.cloudfront_api.api import CloudFrontApi
from edgeproxy.entrypoints.cloudfront_api.key_values import KeyValueStoreApi

__all__ = ["CloudFrontApi", "KeyValueStoreApi"]
