"""Each version of the sample service, good and bad, as its users meet it."""

import threading
from collections.abc import Iterator

import httpx
import pytest

from gp_pipelines_tests.databases.waiting import wait_until
from gp_pipelines_tests.examples.sample import GOOD_REQUESTS, Running, Sample
from gp_pipelines_tests.load.missions import Missions
from gp_pipelines_tests.load.wire import Answer

VERSIONS = ("v1", "v2", "v3", "v4", "v5")


@pytest.fixture
def served(sample: Sample) -> Iterator[Running]:
    """v2 on its own schema."""
    sample.migrate("v2")
    with sample.serving("v2") as running:
        yield running


def problems(running: Running, turns: int) -> list[str]:
    """What the load generator finds wrong with answers to its questions."""
    missions = Missions()
    found = []
    for turn in range(turns):
        question = missions.question(turn)
        request = question.request
        response = running.client.request(request.method, request.path, content=request.body)
        if problem := question.problem(Answer(response.status_code, {}, response.content)):
            found.append(problem)
    return found


@pytest.mark.parametrize("version", ["v1", "v2", "v5"])
def test_a_good_version_answers_what_the_load_asks(sample: Sample, version: str) -> None:
    sample.migrate(version)
    with sample.serving(version) as running:
        assert problems(running, 40) == []
        assert running.client.get("/api/health").json()["status"] == "ok"


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_comes_up_healthy_and_says_which_it_is(sample: Sample, version: str) -> None:
    with sample.serving(version, GP_RELEASE_ID="r-7", GP_VERSION="another") as running:
        answer = running.client.get("/health")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "version": version, "release_id": "r-7"}
    assert answer.headers["x-version"] == version


def test_the_version_before_works_on_the_schema_of_its_successor(sample: Sample) -> None:
    sample.migrate("v2")
    with sample.serving("v1") as running:
        assert problems(running, 20) == []
        assert running.client.get("/api/health").status_code == 200


def test_missions_have_a_crew_from_v2_on(sample: Sample) -> None:
    sample.migrate("v2")
    with sample.serving("v2") as running:
        for title, crew in [("a", "Flint"), ("b", None), ("c", "Flint"), ("d", "Bones")]:
            running.client.post("/api/missions", json={"title": title, "crew": crew})
        found = running.client.get("/api/missions", params={"crew": "Flint"}).json()
    assert [mission["title"] for mission in found] == ["c", "a"]


def test_v3_is_healthy_and_fails_its_smoke_check(sample: Sample) -> None:
    sample.migrate("v3")
    with sample.serving("v3") as running:
        assert running.client.get("/api/health").status_code == 200
        assert running.client.post("/api/missions", json={"title": "a"}).status_code == 201
        assert [running.client.get("/api/missions").status_code for _ in range(3)] == [500] * 3


def test_v4_passes_its_smoke_checks_and_then_fails_in_three_of_ten(sample: Sample) -> None:
    sample.migrate("v4")
    with sample.serving("v4") as running:
        for _ in range(GOOD_REQUESTS):
            assert running.client.get("/api/missions").status_code == 200
        later = [running.client.get("/api/missions").status_code for _ in range(40)]
        health = {running.client.get("/health").status_code for _ in range(20)}
    assert later.count(500) == 12
    assert later.count(200) == 28
    assert health == {200}


def test_the_migration_of_v5_breaks_v2(sample: Sample) -> None:
    sample.migrate("v2")
    with sample.serving("v2") as running:
        assert running.client.get("/api/missions").status_code == 200
        sample.migrate("v5")
        assert running.client.get("/api/missions").status_code == 500
        assert running.client.get("/health").status_code == 200


def test_serving_never_migrates_and_says_what_the_schema_lacks(sample: Sample) -> None:
    with sample.serving("v2") as running:
        answer = running.client.get("/api/health")
        assert answer.status_code == 503
        assert answer.json()["reason"] == "The schema is at 0; v2 needs 3."
        sample.migrate("v1")
        answer = running.client.get("/api/health")
        assert answer.json()["reason"] == "The schema is at 1; v2 needs 3."
        sample.migrate("v2")
        assert running.client.get("/api/health").json()["status"] == "ok"


def test_without_a_database_the_process_is_healthy_and_the_rest_is_unavailable(
    sample: Sample,
) -> None:
    url = "postgresql://captain:rum@127.0.0.1:1/missions"
    with sample.serving("v2", DATABASE_URL=url) as running:
        assert running.client.get("/health").status_code == 200
        answer = running.client.get("/api/health")
        assert answer.status_code == 503
        assert "does not answer" in answer.json()["reason"]
        answer = running.client.get("/api/missions", timeout=20)
        assert answer.status_code == 503
        assert answer.headers["x-version"] == "v2"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/missions/1", b"", 404),
        ("GET", f"/api/missions/{2**63}", b"", 404),
        ("GET", "/nothing", b"", 404),
        ("DELETE", "/api/missions", b"", 405),
        ("POST", "/api/missions", b"", 400),
        ("POST", "/api/missions", b"\xff", 400),
        ("POST", "/api/missions", b"[]", 400),
        ("POST", "/api/missions", b'{"title": ""}', 400),
        ("POST", "/api/missions", b'{"title": 1}', 400),
        ("POST", "/api/missions", b'{"title": "a\\u0000b"}', 400),
        ("POST", "/api/missions", b'{"title": "\\ud800"}', 400),
        ("POST", "/api/missions", b'{"title": "a", "crew": 1}', 400),
    ],
)
def test_a_wrong_request_is_declined_and_the_answer_has_its_version(
    served: Running, method: str, path: str, body: bytes, status: int
) -> None:
    answer = served.client.request(method, path, content=body)
    assert answer.status_code == status
    assert answer.json()["error"]
    assert answer.headers["x-version"] == "v2"


def test_metrics_count_answers_by_status_and_tell_the_version(sample: Sample) -> None:
    sample.migrate("v2")
    with sample.serving("v2", GP_RELEASE_ID="r-7") as running:
        for path in ("/health", "/health", "/api/missions/1"):
            running.client.get(path)
        answer = running.client.get("/metrics")
    lines = answer.text.splitlines()
    assert answer.headers["content-type"].startswith("text/plain")
    assert 'http_requests_total{status="200"} 2.0' in lines
    assert 'http_requests_total{status="404"} 1.0' in lines
    assert "http_request_duration_seconds_count 3.0" in lines
    assert 'ghostpirates_api_build_info{release_id="r-7",version="v2"} 1.0' in lines


def test_a_request_in_flight_is_answered_after_sigterm_and_no_new_one_is_taken(
    sample: Sample,
) -> None:
    sample.migrate("v2")
    with sample.serving("v2") as running, sample.connect() as session:
        idle = httpx.Client(base_url=running.client.base_url)
        assert idle.get("/health").headers.get("connection") is None
        answers: list[httpx.Response] = []
        with session.transaction():
            session.execute("LOCK TABLE missions IN ACCESS EXCLUSIVE MODE")
            asking = threading.Thread(
                target=lambda: answers.append(
                    running.client.post("/api/missions", json={"title": "last"}, timeout=60)
                )
            )
            asking.start()
            waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'missions'::regclass"
            wait_until(lambda: session.execute(waiting).fetchone())
            running.terminate()
            wait_until(lambda: not running.listens())
            with pytest.raises(httpx.TransportError):
                idle.get("/health")
            assert running.process.poll() is None
        asking.join()
        running.process.wait(30)
        (answer,) = answers
        assert answer.status_code == 201
        assert answer.headers["connection"] == "close"
        rows = session.execute("SELECT id, title FROM missions").fetchall()
    assert rows == [(answer.json()["id"], "last")]


def test_an_idle_connection_does_not_hold_the_process_up(sample: Sample) -> None:
    with sample.serving("v1") as running, running.connect() as silent:
        running.client.get("/health")
        running.terminate()
        running.process.wait(10)
        assert silent.recv(1) == b""


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"DATABASE_URL": ""}, "DATABASE_URL is not set."),
        ({"PORT": "0"}, "PORT is '0'; it is a number from 1 to 65535."),
        ({"PORT": "eight"}, "PORT is 'eight'"),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL is 'loud'"),
    ],
)
def test_a_wrong_environment_is_named(
    sample: Sample, environment: dict[str, str], reason: str
) -> None:
    process = sample.start("v1", "serve", **environment)
    output = process.communicate()[0]
    assert process.returncode == 1
    assert output.startswith(f"ghostpirates-api: {reason}")
