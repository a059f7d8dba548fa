"""`python -m gaiarouter` is the command `gaiarouter`."""

from __future__ import annotations

import sys

from gaiarouter.cli import main

sys.exit(main())
