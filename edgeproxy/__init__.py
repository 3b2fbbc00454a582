"""CloudFront and Lambda@Edge on your own machine."""

__version__ = "0.1.0"
