# SPDX-License-Identifier: GPL-3.0-or-later
"""Where records are, and what a record says of the machine and of the commit that was run."""
import os
import re
import subprocess
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent
RECORDS = TREE / "docs/results"


def git(*arguments):
    done = subprocess.run(["git", "-C", TREE, *arguments], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def date():
    return git("show", "-s", "--format=%cs", "HEAD")


def commit():
    """What was run: a commit, with + behind it where files of the tree that make programs differ from it."""
    changed = git("status", "--porcelain", "--untracked-files=no", "--", "framework", "layers", "inference", "experiments", "meson.build")
    return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")


def machine():
    names = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    return names[0] if names else os.uname().machine
