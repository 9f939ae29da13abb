"""Sends requests on a fixed schedule, whatever becomes of them, and writes each one down.

Open loop: request n is due n / rate seconds after the start, and goes out then even if earlier
ones have no answer yet. A generator that waited for answers would send next to nothing while the
service hangs, and so would miss what users lose just then.
"""

import asyncio
import os
import signal
import time
from dataclasses import dataclass

from gp_pipelines_tests.load.address import Address
from gp_pipelines_tests.load.clients import Clients, Outcome
from gp_pipelines_tests.load.log import LogWriter
from gp_pipelines_tests.load.missions import Missions, Question, version_of
from gp_pipelines_tests.load.record import Failure, Pulse, Record

PULSE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Settings:
    address: Address
    rate: float  # requests per second
    seconds: float  # how long at most; with the rate, that bounds the number of requests too
    timeout: float  # seconds, for one request
    parent: int  # the process that this load is for; it does not outlive it


class Generator:
    def __init__(self, settings: Settings, log: LogWriter) -> None:
        self._settings = settings
        self._log = log
        self._clients = Clients(settings.address, settings.timeout)
        self._missions = Missions()
        self._begun: dict[int, int] = {}  # of the requests under way, in the order of beginning

    async def run(self) -> None:
        """Returns after `seconds`, on SIGTERM or SIGINT, or when the parent is gone; every request
        begun is then in the log."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:  # a fault in one ends all: no half-true counts
            schedule = tasks.create_task(self._follow_schedule(tasks))
            for end in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(end, schedule.cancel)
            tasks.create_task(self._pulse(schedule))
        self._clients.close()
        self._write_pulse(last=True)

    async def _follow_schedule(self, tasks: asyncio.TaskGroup) -> None:
        start = time.monotonic()
        for number in range(round(self._settings.rate * self._settings.seconds)):
            due = start + number / self._settings.rate
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            tasks.create_task(self._request(number, due))

    async def _request(self, number: int, due: float) -> None:
        start = time.monotonic()
        begun = self._begun[number] = time.time_ns()
        turn, kept = divmod(number, 2)
        question = self._missions.question(turn)
        ask = self._clients.ask_kept if kept else self._clients.ask_fresh
        outcome = await ask(question.request, number)
        took = time.monotonic() - start
        _judge(outcome, question)
        self._log.write(
            Record(
                number=number,
                begun=begun,
                late_us=round((start - due) * 1e6),
                took_us=round(took * 1e6),
                request=question.request.name,
                status=outcome.answer.status,
                version=version_of(outcome.answer),
                release=outcome.answer.header(b"x-gp-release"),
                error=outcome.error,
                connection=outcome.connection,
                failure=outcome.failure,
            )
        )
        del self._begun[number]

    async def _pulse(self, schedule: asyncio.Task[None]) -> None:
        while not schedule.done() or self._begun:
            self._write_pulse()
            if os.getppid() != self._settings.parent:
                schedule.cancel()
            await asyncio.sleep(PULSE_SECONDS)

    def _write_pulse(self, last: bool = False) -> None:
        now = time.time_ns()
        complete_until = next(iter(self._begun.values()), now)
        self._log.write(Pulse(now, complete_until, time.process_time_ns(), last))


def _judge(outcome: Outcome, question: Question) -> None:
    """An answer that came whole may still be a wrong one."""
    if outcome.failure:
        return
    problem = question.problem(outcome.answer)
    if outcome.answer.status >= 500:
        outcome.failure, outcome.error = Failure.SERVER_ERROR, problem
    elif problem:
        outcome.failure, outcome.error = Failure.WRONG_ANSWER, problem
