"""`python -m visiona`."""

import sys

from visiona.cli.main import main

sys.exit(main())
