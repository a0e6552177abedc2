# SPDX-License-Identifier: GPL-3.0-or-later
"""Read by every Python that a test starts (PYTHONPATH in tests/meson.build): packages are the distribution's, not what pip put under /usr/local or a home."""
import sys

sys.path[:] = [path for path in sys.path if not path.endswith("-packages") or path.startswith("/usr/lib")]
