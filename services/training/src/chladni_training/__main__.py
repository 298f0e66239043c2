"""Run the command: ``python -m chladni_training``."""

from __future__ import annotations

import sys

from chladni_training.command import main

if __name__ == "__main__":
    sys.exit(main())
