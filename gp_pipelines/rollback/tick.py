"""One tick of the rollback sensor, without Dagster: look at each service when it is worth it."""

import json
from dataclasses import asdict

from gp_pipelines.errors import quoted
from gp_pipelines.rollback.readings import Readings
from gp_pipelines.rollback.watch import Look, Wanted, look, remembered
from gp_pipelines.wiring import Platforms

# Between two looks at a service of which no alert is new: the target may say something else now.
AGAIN_SECONDS = 1.0
MOST_NOTES = 50
GUARDS = "guards"  # judging what the feeds say is watched as a feed is


class Tick:
    """From the cursor of the tick before to that of the next one."""

    def __init__(self, platforms: Platforms, readings: Readings, cursor: str | None) -> None:
        before = json.loads(cursor) if cursor else {}
        self._platforms = platforms
        self._readings = readings
        self._memories = {
            name: remembered(before.get("services", {}).get(name, {}))
            for name in platforms.services.names
        }
        self._looked = dict.fromkeys(platforms.services.names, 0.0)
        self._looks: dict[str, Look] = {}
        self._errors = dict.fromkeys(platforms.services.names, "")
        self._judged_at = {
            name: before.get("feeds", {}).get(name, {}).get(GUARDS, {}).get("read_at")
            for name in platforms.services.names
        }

    def look(self, now: float) -> bool:
        """Whether there is something to launch, or to tell. `now` is in seconds since the epoch."""
        news = self._readings.refresh()
        for name in self._platforms.services.names:
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

    def cursor(self, now: float) -> str:
        """Also says when each feed could be read last: that is how this sensor is watched."""
        return json.dumps(
            {
                "at": now,
                "services": {name: asdict(memory) for name, memory in self._memories.items()},
                "feeds": {
                    name: {
                        **{
                            state.feed.name: {"read_at": state.read_at, "error": state.error}
                            for state in states
                        },
                        GUARDS: {"read_at": self._judged_at[name], "error": self._errors[name]},
                    }
                    for name, states in self._readings.states.items()
                },
            }
        )

    def _look(self, name: str, now: float) -> Look:
        alerts = self._readings.alerts(name)
        try:
            found = look(self._platforms[name], alerts, self._memories[name], now)
        except Exception as error:  # of one service: the next one is served all the same
            self._errors[name] = f"{type(error).__name__}: {quoted(str(error))}"
            return Look(notes=(f"CANNOT BE JUDGED: {self._errors[name]}",))
        self._errors[name] = ""
        self._judged_at[name] = now
        return found
