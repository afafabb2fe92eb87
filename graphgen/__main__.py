"""`python -m graphgen`, for where the `graphgen` command is not on the path."""

import sys

from graphgen.cli import main

if __name__ == "__main__":
    sys.exit(main())
