"""``python -m gail`` is the command ``gail``."""

import sys

from gail.cli import main

if __name__ == "__main__":
    sys.exit(main())
