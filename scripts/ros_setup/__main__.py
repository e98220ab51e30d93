# SPDX-License-Identifier: Apache-2.0
"""`python3 -m ros_setup`: bring everything into `.venv` and `install`, or say why not."""

import sys

if sys.version_info < (3, 10):
    sys.exit(
        "make setup: this is Python %d.%d, which is too old even to run the setup. "
        "Install Python 3.12 and run: make setup PYTHON=python3.12" % sys.version_info[:2]
    )

from ros_setup.main import main

sys.exit(main())
