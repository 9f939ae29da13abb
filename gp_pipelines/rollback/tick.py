"""One tick of the rollback sensor, without Dagster: look at each service when it is worth it."""

from gp_pipelines.errors import GpError, quoted
from gp_pipelines.rollback.cursor import GUARDS, Cursor, FeedSeen, understood
from gp_pipelines.rollback.readings import Readings
from gp_pipelines.rollback.watch import Look, Memory, Wanted, look
from gp_pipelines.wiring import Platforms

# Between two looks at a service of which no alert is new: the target may say something else now.
AGAIN_SECONDS = 1.0
MOST_NOTES = 50


class Tick:
    """From the cursor of the tick before to that of the next one."""

    def __init__(self, platforms: Platforms, readings: Readings, cursor: str | None) -> None:
        before, names = understood(cursor), platforms.services.names
        self._platforms = platforms
        self._readings = readings
        self._memories = {name: before.services.get(name, Memory()) for name in names}
        self._looked = dict.fromkeys(names, 0.0)
        self._looks: dict[str, Look] = {}
        self._judged = {name: before.feeds.get(name, {}).get(GUARDS, FeedSeen()) for name in names}

    def look(self, now: float) -> bool:
        """Whether there is something to launch, or to tell. `now` is in seconds since the epoch."""
        news = self._readings.refresh()
        for name in self._platforms.services.names:
            if self._is_decided(name):
                continue
            if name in news or now - self._looked[name] >= AGAIN_SECONDS:
                self._looked[name] = now
                self._looks[name] = self._look(name, now)
        return bool(self.wanted or self.dry)

    @property
    def wanted(self) -> list[Wanted]:
        return [found.wanted for found in self._looks.values() if found.wanted]

    @property
    def dry(self) -> list[Wanted]:
        return [found.dry for found in self._looks.values() if found.dry]

    @property
    def notes(self) -> list[str]:
        """Why nothing was launched for what fires, and which feeds cannot be read."""
        found = []
        for name in self._platforms.services.names:
            told = self._looks[name].notes if name in self._looks else ()
            found += [f"{name}: {note}" for note in (*told, *self._readings.unknown(name))]
        left_out = len(found) - MOST_NOTES
        return [*found[:MOST_NOTES], f"and {left_out} more"] if left_out > 0 else found

    @property
    def cursor(self) -> str:
        """Also says when each feed could be read last: that is how this sensor is watched."""
        feeds = {
            name: {state.feed.name: FeedSeen(state.read_at, state.error) for state in states}
            for name, states in self._readings.states.items()
        }
        for name, judged in self._judged.items():
            feeds[name][GUARDS] = judged
        return Cursor(self._memories, feeds).text

    def _is_decided(self, name: str) -> bool:
        """What was found is returned with this tick: a second look would find it launched."""
        found = self._looks.get(name)
        return found is not None and bool(found.wanted or found.dry)

    def _look(self, name: str, now: float) -> Look:
        alerts = self._readings.alerts(name)
        try:
            found = look(self._platforms[name], alerts, self._memories[name], now)
        except GpError as error:
            return self._not_judged(name, error.what)
        except Exception as error:  # of one service: the next one is served all the same
            return self._not_judged(name, f"{type(error).__name__}: {quoted(str(error))}")
        self._judged[name] = FeedSeen(now)
        return found

    def _not_judged(self, name: str, why: str) -> Look:
        self._judged[name] = FeedSeen(self._judged[name].read_at, why)
        return Look(notes=(f"CANNOT BE JUDGED: {why}",))
