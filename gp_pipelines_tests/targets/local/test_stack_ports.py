"""A port that somebody else has: named, or moved away from where nobody knows it yet."""

import os

import httpx
import pytest

from gp_pipelines.errors import TargetUnavailable
from gp_pipelines.model import Color
from gp_pipelines.targets.local.envoy import entrance_port, preview_port
from gp_pipelines.targets.local.envoy_admin import EnvoyAdmin
from gp_pipelines.targets.local.slot_file import StandingSlot
from gp_pipelines.targets.local.supervisor import Supervisor
from gp_pipelines_tests.contract.examples import a_slot, bring_up
from gp_pipelines_tests.targets.local.project import Project
from gp_pipelines_tests.targets.local.taken_ports import listening, listening_on


def test_up_after_services_yaml_has_changed_moves_the_entrance(project: Project) -> None:
    old = project.up().entrances["api"]
    with listening() as port:
        pass
    project.have("api", target={"kind": "local", "port": port})
    new = project.up().entrances["api"]
    assert new == f"http://127.0.0.1:{port}"
    assert httpx.get(new).status_code == 503
    with pytest.raises(httpx.ConnectError):
        httpx.get(old)


def test_an_entrances_port_that_somebody_has_is_named_before_anything_starts(
    project: Project,
) -> None:
    with listening() as port:
        project.have("api", target={"kind": "local", "port": port})
        with pytest.raises(TargetUnavailable) as caught:
            project.up()
        assert f"Port {port} of api's entrance is taken by process {os.getpid()}" in str(caught)
        assert not Supervisor(project.home).is_up()
    project.up()


def test_a_remembered_entrance_keeps_its_port_even_if_somebody_took_it(project: Project) -> None:
    address = project.up().entrances["api"]
    project.down()
    with (
        listening_on(entrance_port(project.home, project.services["api"])),
        pytest.raises(TargetUnavailable, match="is taken by process"),
    ):
        project.up()
    again = project.up()
    assert again.entrances["api"] == address


def test_a_preview_whose_port_somebody_took_moves(project: Project) -> None:
    project.up()
    project.down()
    before = preview_port(project.home, "api", Color.BLUE)
    with listening_on(before):
        project.up()
        after = preview_port(project.home, "api", Color.BLUE)
    assert after != before
    assert EnvoyAdmin(project.home).listening()["api.blue"] == after


def test_a_replica_whose_port_somebody_took_is_told(project: Project) -> None:
    project.up()
    subject = project.subject()
    slot = a_slot(subject, Color.BLUE)
    bring_up(subject, slot)
    project.down()
    standing = StandingSlot.read(subject.paths.slots / slot.name)
    assert standing is not None
    (port,) = standing.ports
    with listening_on(port):
        project.up()
    (told,) = [line for line in project.said if "cannot start" in line]
    assert f"{slot.name}.1 cannot start: its port {port} is taken by process {os.getpid()}" in told
