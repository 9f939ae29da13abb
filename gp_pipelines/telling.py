"""Telling people how a run ended, which has ended as it has, whoever is told."""

import os
from collections.abc import Callable, Iterable

from gp_pipelines.model import Progress
from gp_pipelines.notifications.contract import Notification
from gp_pipelines.notifications.notify import notify
from gp_pipelines.notifications.run_url import run_url


def tell_people(
    run_id: str, endings: Callable[[str | None], Iterable[Notification | None]], log: Progress
) -> None:
    """To be called once the fence is let go: a channel that hangs holds up the run's end alone.

    `endings` gets the address where the run is to be seen. Raises nothing, not for a defect either.
    """
    try:
        for ending in endings(run_url(os.environ, run_id)):
            if ending is not None:
                notify(ending, environment=os.environ, progress=log)
    except Exception as error:
        log(f"people could not be told: {type(error).__name__}: {error}")
