"""A build backend without dependencies: it packs service.py as a wheel.

`hold-<version>` beside it holds the build of that version up for as long as it is there.
"""

import os
import time
import zipfile
from pathlib import Path

METADATA = "Metadata-Version: 2.1\nName: small-service\nVersion: 1\n"
WHEEL = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
SCRIPTS = "[console_scripts]\nsmall-service = small_service:main\n"


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    version = os.environ["GP_VERSION"]
    while Path(f"hold-{version}").exists():
        time.sleep(0.05)
    name, information = "small_service-1-py3-none-any.whl", "small_service-1.dist-info"
    files = {
        "small_service.py": f"VERSION = {version!r}\n" + Path("service.py").read_text(),
        f"{information}/METADATA": METADATA,
        f"{information}/WHEEL": WHEEL,
        f"{information}/entry_points.txt": SCRIPTS,
    }
    record = "".join(f"{file},,\n" for file in [*files, f"{information}/RECORD"])
    with zipfile.ZipFile(Path(wheel_directory) / name, "w") as archive:
        for file, content in {**files, f"{information}/RECORD": record}.items():
            archive.writestr(file, content)
    return name
