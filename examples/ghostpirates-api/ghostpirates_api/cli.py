"""`ghostpirates-api serve` and `ghostpirates-api migrate`."""

import argparse
import logging
import sys
from collections.abc import Callable

from ghostpirates_api.migrate import MigrationError, migrate
from ghostpirates_api.server import serve
from ghostpirates_api.settings import Settings, SettingsError


def main() -> None:
    commands: dict[str, Callable[[Settings], None]] = {"serve": serve, "migrate": migrate}
    parser = argparse.ArgumentParser(prog="ghostpirates-api", description=__doc__)
    parser.add_argument("command", choices=commands)
    command = commands[parser.parse_args().command]
    try:
        settings = Settings.from_environment()
        logging.basicConfig(
            level=settings.log_level.upper(),
            format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        )
        command(settings)
    except (SettingsError, MigrationError) as error:
        sys.exit(f"ghostpirates-api: {error}")
