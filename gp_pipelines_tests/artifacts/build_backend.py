"""A build backend in a source tree: it builds one module, or does what a test asks for.

`behaviour.txt` beside it names the function that is called before the wheel is made.
"""

import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

MODULE = """
import dependency


def main():
    print("pirates {version}, dependency", dependency.VERSION)
"""
WHEEL = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def get_requires_for_build_wheel(config_settings=None):
    return []


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    globals()[Path("behaviour.txt").read_text().strip()]()
    version = os.environ["GP_VERSION"]
    name = "pirates-1-py3-none-any.whl"
    files = {
        "pirates/__init__.py": MODULE.replace("{version}", version),
        "pirates/migrations/0001_missions.sql": "CREATE TABLE missions (id BIGINT);\n",
        "pirates/migrations/old/0000_never.sql": "no file of the directory itself",
        "pirates-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: pirates\nVersion: 1\n",
        "pirates-1.dist-info/WHEEL": WHEEL,
        "pirates-1.dist-info/entry_points.txt": "[console_scripts]\npirates = pirates:main\n",
    }
    record = "".join(f"{file},,\n" for file in [*files, "pirates-1.dist-info/RECORD"])
    with zipfile.ZipFile(Path(wheel_directory) / name, "w") as archive:
        for file, content in {**files, "pirates-1.dist-info/RECORD": record}.items():
            archive.writestr(file, content)  # with the time of now: no part of the version
    return name


def be_good():
    pass


def fail():
    print("the mast has broken: postgresql://captain:rum@island/db", file=sys.stderr)
    sys.exit(3)


def show_environment():
    print("\n".join(f"{name}={value}" for name, value in os.environ.items()))
    sys.exit(1)


def hang():
    """With a child, which ignores the end of its parent."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path("child").write_text(str(child.pid))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)


def wait_for_the_test():
    Path("waiting").touch()
    while not Path("go-on").exists():
        time.sleep(0.02)
