"""How often the gate is wrong over the corpus of migrations, whose effects are known."""

from gp_pipelines.databases.compatibility.shadow import SERVER_SETTINGS
from gp_pipelines_tests.bench.figure import Progress, Value
from gp_pipelines_tests.databases.corpus.case import cases
from gp_pipelines_tests.databases.corpus.judge import Score, database_of, judge, live_server
from gp_pipelines_tests.databases.server import running_server

TELL = 25


def gate_verdicts(progress: Progress) -> dict[str, Value]:
    """Missed: breaking cases that were let through. False alarms: compatible ones stopped."""
    verdicts, corpus = [], cases()
    with live_server() as live, running_server(*SERVER_SETTINGS) as shadow:
        for number, case in enumerate(corpus, start=1):
            with database_of(case, live, f"case_{number}") as url:
                verdicts.append((case, str(judge(case, url, shadow).verdict)))
            if number % TELL == 0:
                progress(f"{number}/{len(corpus)} cases judged")
    score = Score.of(verdicts)
    for name in (*score.missed_breaking, *score.false_alarms):
        progress(f"wrong: {name}")
    return {
        "gate.missed_breaking": Value(len(score.missed_breaking), len(corpus)),
        "gate.false_alarm_share": Value(round(score.false_alarm_share, 4), len(corpus)),
    }
