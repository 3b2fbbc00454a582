"""The CloudFront API and the CloudFront KeyValueStore API, each a Handler.

Nothing is imported here, since most programs never hear a call of theirs.
"""

from typing import Final

__all__ = ["CLOUDFRONT_PREFIX", "KEY_VALUES_PREFIX"]

CLOUDFRONT_PREFIX: Final = "/2020-05-31"
KEY_VALUES_PREFIX: Final = "/key-value-stores"
"""How the paths of each API's operations begin."""
