"""`python -m gp_pipelines_tests.e2e.guardian PID ROOT`: end the stack in ROOT once PID has ended.

A test run that is killed (by a time limit, by CI) cannot take its stack down itself.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

LOOK_SECONDS = 1.0


def main() -> None:
    pid, root = int(sys.argv[1]), Path(sys.argv[2])
    while psutil.pid_exists(pid):
        time.sleep(LOOK_SECONDS)
    if (root / "var" / "supervisor").exists():
        subprocess.run(
            [Path(sys.executable).parent / "gp", "down", "--purge"],
            cwd=root,
            env={**os.environ, "GP_HOME": str(root / "var")},
            check=False,
        )


if __name__ == "__main__":
    main()
