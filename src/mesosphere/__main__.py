"""`python -m mesosphere` is the `mesosphere` command."""

import sys

from mesosphere.cli import main

sys.exit(main())
