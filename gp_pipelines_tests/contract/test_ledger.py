"""Small documents beside the record."""

import pytest

from gp_pipelines.errors import ConfigInvalid
from gp_pipelines_tests.contract.subject import Subject

DOCUMENT = {
    "text": 'Zoë "the <cat>"\n',
    "nothing": None,
    "numbers": [1, -2, 0.5, 2**53 - 1],
    "nested": {"yes": True, "empty": {}},
}


def test_what_was_never_put_is_not_there(subject: Subject) -> None:
    ledger = subject.target.ledger
    assert ledger.get("evidence", "release-1") is None
    assert ledger.list("evidence") == {}
    ledger.delete("evidence", "release-1")


def test_a_document_is_read_as_it_was_put_by_whoever_reads_it(subject: Subject) -> None:
    subject.target.ledger.put("evidence", "release-1", DOCUMENT)
    for target in (subject.target, subject.open()):
        assert target.ledger.get("evidence", "release-1") == DOCUMENT
        assert target.ledger.list("evidence") == {"release-1": DOCUMENT}


def test_putting_again_replaces_the_whole_document(subject: Subject) -> None:
    subject.target.ledger.put("freeze", "freeze", {"reason": "a", "by": "b"})
    subject.target.ledger.put("freeze", "freeze", {"reason": "c"})
    assert subject.target.ledger.get("freeze", "freeze") == {"reason": "c"}


def test_a_deleted_document_is_gone_and_the_others_are_not(subject: Subject) -> None:
    ledger = subject.target.ledger
    for key in ("a", "b"):
        ledger.put("events", key, {"key": key})
    ledger.put("evidence", "a", {"kind": "evidence"})
    ledger.delete("events", "a")
    assert ledger.list("events") == {"b": {"key": "b"}}
    assert ledger.get("evidence", "a") == {"kind": "evidence"}


def test_services_have_ledgers_of_their_own(subject: Subject, another: Subject) -> None:
    subject.target.ledger.put("evidence", "release-1", DOCUMENT)
    assert another.target.ledger.list("evidence") == {}


@pytest.mark.parametrize("key", ["20260203T040506789123-switch_back-a1b2c3d4", "sha256:ab", "v1.2"])
def test_the_keys_in_use_are_names(subject: Subject, key: str) -> None:
    subject.target.ledger.put("events", key, {"key": key})
    assert subject.target.ledger.list("events") == {key: {"key": key}}


@pytest.mark.parametrize("name", ["", ".", "..", "../other", "a/b", ".hidden", "a b", "a\n", "ä"])
def test_what_is_no_plain_name_is_refused(subject: Subject, name: str) -> None:
    ledger = subject.target.ledger
    for kind, key in ((name, "key"), ("kind", name)):
        with pytest.raises(ConfigInvalid):
            ledger.put(kind, key, {})
        with pytest.raises(ConfigInvalid):
            ledger.get(kind, key)
        with pytest.raises(ConfigInvalid):
            ledger.delete(kind, key)
    with pytest.raises(ConfigInvalid):
        ledger.list(name)
