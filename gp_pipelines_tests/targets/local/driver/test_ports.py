"""Ports that are chosen once, and who has one that is taken."""

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gp_pipelines.errors import TargetUnavailable
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.ports import HIGHEST, LOWEST, Ports, is_free, require_free
from gp_pipelines_tests.targets.local.taken_ports import listening


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "var")


def test_a_port_is_remembered_by_whoever_asks_next(home: Home) -> None:
    port = Ports(home).get("dagster")
    assert LOWEST <= port <= HIGHEST
    assert Ports(home).get("dagster") == port
    assert Ports(home).get("another") != port


def test_many_who_ask_at_once_get_each_their_own(home: Home) -> None:
    with ThreadPoolExecutor(8) as pool:
        names = [f"name-{n}" for n in range(24)]
        ports = list(pool.map(lambda name: Ports(home).get(name), names * 2))
    assert ports[:24] == ports[24:]
    assert len(set(ports)) == 24


def test_a_configured_port_takes_the_place_of_a_remembered_one(home: Home) -> None:
    Ports(home).get("entrance/api")
    assert Ports(home).get("entrance/api", 23456) == 23456
    assert Ports(home).get("entrance/api") == 23456


def test_a_port_that_is_anothers_is_refused_naming_it(home: Home) -> None:
    port = Ports(home).get("preview/api/blue")
    with pytest.raises(TargetUnavailable, match=r"asked for entrance/web.*preview/api/blue"):
        Ports(home).get("entrance/web", port)
    assert "entrance/web" not in home.ports.read_text()


def test_a_port_that_somebody_listens_on_is_not_chosen(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening() as taken, listening() as free:
        offered = iter([taken, taken, free])
        monkeypatch.setattr("random.randint", lambda *_: next(offered))
        monkeypatch.setattr(
            "gp_pipelines.targets.local.ports.is_free", lambda port: port == free or is_free(port)
        )
        assert Ports(home).get("dagster") == free


def test_forgotten_ports_are_chosen_anew(home: Home) -> None:
    ports = Ports(home)
    kept = ports.get("replica/slot-10/1")
    ports.get("replica/slot-1/1")
    ports.forget("replica/slot-1/")
    assert "replica/slot-1/1" not in home.ports.read_text()
    assert ports.get("replica/slot-10/1") == kept


def test_a_file_that_somebody_spoiled_is_named_and_left(home: Home) -> None:
    home.root.mkdir()
    home.ports.write_text("[not ports]")
    with pytest.raises(TargetUnavailable, match=r"ports\.json is not what was written there"):
        Ports(home).get("dagster")
    assert home.ports.read_text() == "[not ports]"


def test_who_listens_on_a_taken_port_is_named() -> None:
    with (
        listening() as port,
        pytest.raises(TargetUnavailable, match=rf"Port {port} of the entrance .*{os.getpid()} \("),
    ):
        require_free(port, "the entrance")
    require_free(port, "the entrance")


def test_a_port_whose_connections_are_just_closing_is_free() -> None:
    """As after a restart of what listened there."""
    with listening() as port:
        pass
    with socket.create_server(("127.0.0.1", port)) as server:
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
        accepted.close()  # the server's side closes first, and keeps the port in TIME_WAIT
        client.close()
    assert is_free(port)
