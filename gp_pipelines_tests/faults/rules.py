"""What must hold after every single change of the target, whoever made it, whatever was killed.

Written from the design, without the engine: each rule looks at what is really there. A broken rule
is kept (and not raised), because the program that broke it may catch anything.
"""

from datetime import datetime, timedelta

from gp_pipelines.model import Holder, KeptSlot, MovedBy, Slot, SlotState, TrafficRecord
from gp_pipelines.services import Service
from gp_pipelines_tests.faults.fake_target import World

DEAD_AFTER_SECONDS = 15.0
MOST_IN_A_DAY = 20  # automatic rollbacks, that services.yaml allows
NEEDED_BEFORE_SWITCH = ("build", "backup", "migrate", "deploy_inactive", "smoke")


class Rules:
    """Watches a world. `broken` says what was broken, and by whom."""

    def __init__(self, world: World, service: Service) -> None:
        self.broken: list[str] = []
        self._world = world
        self._service = service
        self._was_confirmed_live = False
        world.watchers.append(self._look)

    def _look(self, what: str, before: TrafficRecord) -> None:
        found = list(self._always())
        if what == "record":
            found += self._written(before, self._world.record)
        elif what == "made again":
            found += self._made_again(self._world.record)
        elif what.startswith("remove "):
            found += self._removed(what.removeprefix("remove "))
        self.broken += [f"{problem} (by {self._world.acting}: {what})" for problem in found]

    def _always(self) -> list[str]:
        world, record = self._world, self._world.record
        found = []
        if record.live is not None:
            behind = world.colors[record.live.color].slot_name
            if behind != record.live.name:
                found.append(f"{record.live.name} is live, and {behind} is behind its color")
            if not world.ready(record.live.name):
                found.append(f"{record.live.name} is live, and has no replicas")
            if any(kept.slot.name == record.live.name for kept in record.kept):
                found.append(f"{record.live.name} is live, and kept as if it were not")
        self._was_confirmed_live |= record.live is not None and record.confirmed
        if self._was_confirmed_live and record.live is None:
            found.append("nothing is live after a confirmed release")
        if not record.confirmed and record.previous is not None and not self._back_is_open():
            found.append("the way back was closed while the switch was unconfirmed")
        return found

    def _back_is_open(self) -> bool:
        record = self._world.record
        kept = record.kept_slot(record.previous.name) if record.previous else None
        standing = record.previous is not None and record.previous.name in self._world.slots
        return standing and kept is not None and kept.state is SlotState.WARM

    def _written(self, before: TrafficRecord, after: TrafficRecord) -> list[str]:
        found = []
        taken = after.fence == before.fence + 1
        if after.revision != before.revision + 1:
            found.append(f"the revision went from {before.revision} to {after.revision}")
        if not taken and after.fence != before.fence:
            found.append(f"the fence went from {before.fence} to {after.fence}")
        holder = after.holder if taken else before.holder
        if holder is None or holder.run_id != self._world.acting:
            found.append("a write by a program that does not hold the fence")
        if taken and self._lives(before.holder) and after.holder != before.holder:
            found.append("the fence was taken from a living holder")
        if not taken and self._world.copy_age() < before.fence:
            found.append(f"a change under fence {before.fence}, which the copy does not know")
        if after.live != before.live:
            found += self._moved(before, after)
        if after.confirmed and not before.confirmed:
            found += self._confirmed(after)
        found += self._counted(before, after) + self._restored(before, after)
        return found + self._kept(before, after)

    def _made_again(self, after: TrafficRecord) -> list[str]:
        copy = self._world.copy
        if copy is None or (after.live, after.previous) != (copy.live, copy.previous):
            return ["a lost record was not made again as its copy has it"]
        if after.fence <= copy.fence or after.holder is not None:
            return ["a record was made again, and who held the fence may go on"]
        return []

    def _lives(self, holder: Holder | None) -> bool:
        """Whether it has shown a sign of life lately. A rollback does not look at that."""
        beat, taker = self._world.beat, self._world.record.holder
        if holder is None or beat is None or (taker is not None and taker.kind == "rollback"):
            return False
        silence = self._world.seconds - self._world.beat_at
        return beat.run_id == holder.run_id and silence < DEAD_AFTER_SECONDS

    def _moved(self, before: TrafficRecord, after: TrafficRecord) -> list[str]:
        if after.moved_by is MovedBy.REPAIR:
            return []  # a person has moved it, before this write
        found = []
        if after.confirmed:
            found.append("traffic was moved and confirmed in one write")
        if after.moved_by is MovedBy.RELEASE:
            found += self._released(before, after)
        elif after.moved_by is MovedBy.ROLLBACK:
            found += self._rolled_back(before, after)
        elif after.moved_by is MovedBy.RESTORE:
            found += self._data_restored(before, after)
        elif before.confirmed or before.moved_by is not MovedBy.RELEASE:
            found.append("a switch back of what was no unconfirmed release")
        elif after.live != before.previous or after.previous is not None:
            found.append("a switch back to something else than what was live before")
        return found

    def _released(self, before: TrafficRecord, after: TrafficRecord) -> list[str]:
        found = []
        assert after.live is not None
        if not before.confirmed:
            found.append("a switch on top of an unconfirmed one")
        if after.previous != before.live:
            found.append("a switch that does not know what was live before")
        if self._world.ready(after.live.name) < after.live.replicas:
            found.append("a switch to a slot that is not ready")
        found += [
            f"a switch without evidence of {step}"
            for step in NEEDED_BEFORE_SWITCH
            if not self._proved(step, after.live)
        ]
        if (after.live.digest, after.live.config_hash) in self._quarantined():
            found.append("a switch to what is in quarantine")
        kept = before.kept_slot(after.live.name)
        if kept is not None and kept.state in (SlotState.RETIRING, SlotState.KEPT):
            found.append(f"a switch to a slot that is {kept.state}")
        old = after.kept_slot(before.live.name) if before.live else None
        if before.live is not None and (old is None or old.deadline != self._retention_ends(after)):
            found.append("a switch that leaves the old slot without its deadline")
        return found

    def _rolled_back(self, before: TrafficRecord, after: TrafficRecord) -> list[str]:
        """Of a release, confirmed or not; by a rollback, to what was live before, for good."""
        found = []
        assert before.live is not None
        if after.holder is None or after.holder.kind != "rollback":
            found.append("a rollback by what is none")
        if after.live is None or after.live != before.previous:
            found.append("a rollback to something else than what was live before")
        if after.previous is not None:
            found.append("a rollback that leaves a way back onto what it undid")
        if after.undone != before.live.release_id:
            found.append("a rollback that does not say what it undid")
        old = before.kept_slot(after.live.name) if after.live else None
        if old is None or old.state is not SlotState.WARM:
            found.append(f"a rollback to a slot that is {old.state if old else 'unknown'}")
        undone = after.kept_slot(before.live.name)
        if undone is None or undone.state is not SlotState.KEPT:
            found.append("a rollback that does not keep what it undid")
        return found

    def _data_restored(self, before: TrafficRecord, after: TrafficRecord) -> list[str]:
        """A move to the one slot that works with restored data; all others have the old ones."""
        found = []
        if after.holder is None or after.holder.kind != "restore":
            found.append("a restore by what is none")
        if not before.confirmed:
            found.append("a restore on top of an unconfirmed move")
        if after.live is None or self._world.ready(after.live.name) < after.live.replicas:
            found.append("a restore to a slot that is not ready")
        if after.previous is not None:
            found.append("a restore that leaves a way back onto the old data")
        if any(kept.state in (SlotState.WARM, SlotState.WAITING) for kept in after.kept):
            found.append("a restore that leaves a slot with the old data to be switched to")
        if before.live is not None and after.kept_slot(before.live.name) is None:
            found.append("a restore that forgets what was live before")
        return found

    def _counted(self, before: TrafficRecord, after: TrafficRecord) -> list[str]:
        """The automatic rollbacks: none is lost, and none is of a release that had one."""
        if after.automatic == before.automatic:
            return []
        if not after.automatic:
            return ["the automatic rollbacks are counted no longer"]
        old, new = before.automatic, after.automatic[-1]
        found = []
        remembered = len(after.automatic)
        enough = remembered > min(len(old), MOST_IN_A_DAY)
        if not enough or after.automatic != (*old, new)[-remembered:]:
            found.append("an automatic rollback is counted no longer")
        if before.live is None or (new.release_id, after.undone) != (before.live.release_id,) * 2:
            found.append("a count of what was not undone")
        if new.release_id in {each.release_id for each in old}:
            found.append(f"a second automatic rollback of {new.release_id}")
        return found

    def _restored(self, before: TrafficRecord, after: TrafficRecord) -> list[str]:
        """Another slot to go back to, without a move: of the very release that was there."""
        if after.live != before.live or after.previous == before.previous:
            return []
        old, new = before.previous, after.previous
        same = old is not None and new is not None and _what(old) == _what(new)
        kept = after.kept_slot(new.name) if new else None
        found = []
        if not same or after.holder is None or after.holder.kind != "rollback":
            found.append("another version to go back to")
        if kept is None or kept.slot != new or kept.state is not SlotState.WARM:
            found.append("a slot is brought up to go back to, and not reserved")
        return found

    def _proved(self, step: str, slot: Slot) -> bool:
        evidence = self._world.documents.get(("evidence", slot.release_id), {}).get(step)
        return evidence is not None and (evidence["digest"], evidence["config_hash"]) == (
            slot.digest,
            slot.config_hash,
        )

    def _retention_ends(self, after: TrafficRecord) -> datetime | None:
        retention = timedelta(seconds=self._service.retention_seconds)
        return after.switched_at + retention if after.switched_at else None

    def _confirmed(self, after: TrafficRecord) -> list[str]:
        found = []
        accepted = after.holder is not None and after.holder.kind == "repair"  # by a person
        answer = self._world.answer(after.live.color if after.live else None)
        served_by = answer.release_id if answer.ok else None
        if not accepted and served_by != (after.live.release_id if after.live else None):
            found.append("a confirmation of what does not serve")
        copy = self._world.copy
        if copy is None or (copy.live, copy.previous) != (after.live, after.previous):
            found.append("a confirmation of a move that the copy does not know")
        if after.moved_by is MovedBy.ROLLBACK and not self._is_quarantined(after):
            found.append("a confirmed rollback of what is not in quarantine")
        return found

    def _is_quarantined(self, record: TrafficRecord) -> bool:
        undone = [kept.slot for kept in record.kept if kept.slot.release_id == record.undone]
        return all((slot.digest, slot.config_hash) in self._quarantined() for slot in undone)

    def _quarantined(self) -> set[tuple[str, str]]:
        return {
            (document["digest"], document["config_hash"])
            for (kind, _), document in self._world.documents.items()
            if kind == "quarantine"
        }

    def _kept(self, before: TrafficRecord, after: TrafficRecord) -> list[str]:
        found = []
        for kept in before.kept:
            now = after.kept_slot(kept.slot.name)
            if now == kept or after.live == kept.slot:
                continue
            if after.moved_by is MovedBy.RESTORE and after.live != before.live:
                continue  # see _data_restored
            if not after.confirmed and after.live == before.live:
                found.append(f"{kept.slot.name} was {kept.state}, and changed while unconfirmed")
            if now is not None and now.state is kept.state and now.deadline != kept.deadline:
                found.append(f"the deadline of {kept.slot.name} was moved")
            if kept.state is SlotState.RETIRING:
                if now is not None or kept.slot.name in self._world.slots:
                    found.append(f"the retirement of {kept.slot.name} was called off")
            elif now is None and kept.state is not SlotState.KEPT:
                found.append(f"{kept.slot.name} was {kept.state}, and is forgotten at once")
            elif not self._may_change(kept, after):
                found.append(f"{kept.slot.name} was {kept.state}, and was retired unasked")
        return found

    def _may_change(self, kept: KeptSlot, after: TrafficRecord) -> bool:
        holder = after.holder
        kind = holder.kind if holder else ""
        if kept.state is SlotState.WAITING:
            rolled_back = after.moved_by is MovedBy.ROLLBACK and not after.confirmed
            return kind == "reject" or (kind == "rollback" and rolled_back)
        due = kept.deadline is not None and self._world.has_been(kept.deadline)
        color_is_needed = kind in ("release", "promote")
        return due or color_is_needed

    def _removed(self, name: str) -> list[str]:
        record = self._world.record
        kept = record.kept_slot(name)
        found = []
        if kept is not None and kept.state is not SlotState.RETIRING:
            found.append(f"{name} was removed while it was {kept.state}")
        return found


def _what(slot: Slot) -> tuple[str, str, str, str]:
    return slot.release_id, slot.version, slot.digest, slot.config_hash
