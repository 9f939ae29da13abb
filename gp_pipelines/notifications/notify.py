"""Tell people, in all channels that are configured, and be in nobody's way when that fails."""

import threading
import time
from collections.abc import Mapping

from gp_pipelines.model import Progress
from gp_pipelines.notifications.channels import Channel, configured
from gp_pipelines.notifications.contract import Notification
from gp_pipelines.notifications.wording import fit_to_send

DEADLINE_SECONDS = 10.0


def notify(
    notification: Notification, *, environment: Mapping[str, str], progress: Progress
) -> None:
    """Send it to every channel that `environment` names, all at once; done after at most 10 s.

    Raises nothing. `progress` is told in one line who was told and who was not. Where no channel is
    configured nothing happens.
    """
    channels = configured(environment)
    if not channels:
        return
    try:
        told = _tell(notification, channels)
    except Exception as error:  # such as no more threads: the run that tells goes on
        told = f"not delivered, {type(error).__name__}"
    progress(f"notified ({notification.kind}): {told}")


def _tell(notification: Notification, channels: tuple[Channel, ...]) -> str:
    """What became of it in each channel."""
    fitting = fit_to_send(notification, tuple(channel.url for channel in channels))
    deadline = time.monotonic() + DEADLINE_SECONDS
    deliveries = [_Delivery(channel, fitting, deadline) for channel in channels]
    for delivery in deliveries:
        delivery.start()
    for delivery in deliveries:
        delivery.join(max(0.0, deadline - time.monotonic()))
    return "; ".join(delivery.result for delivery in deliveries)


class _Delivery(threading.Thread):
    """In a thread that the process's end does not wait for: a channel may answer a byte a minute,
    and no timeout for a step would end that."""

    def __init__(self, channel: Channel, notification: Notification, deadline: float) -> None:
        super().__init__(name=channel.variable, daemon=True)
        self._channel = channel
        self._notification = notification
        self._deadline = deadline
        self.result = f"{channel.variable}: not delivered, no answer in {DEADLINE_SECONDS:g} s"

    def run(self) -> None:
        self.result = f"{self._channel.variable}: {self._deliver()}"

    def _deliver(self) -> str:
        # Loading httpx and the certificates takes longer than a run without channels should wait.
        from gp_pipelines.notifications.delivery import NotDelivered, deliver

        try:
            message = self._channel.render(self._notification)
            deliver(self._channel, message, self._deadline)
        except NotDelivered as error:
            return f"not delivered, {error}"
        except Exception as error:  # of which nothing is known, so its text may hold the address
            return f"not delivered, {type(error).__name__}"
        return "delivered"
