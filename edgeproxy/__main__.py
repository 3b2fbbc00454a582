"""``python -m edgeproxy``."""

import sys

from edgeproxy.cli import main

if __name__ == "__main__":
    sys.exit(main())
