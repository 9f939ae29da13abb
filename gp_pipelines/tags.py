"""The names of the run tags, which scripts rely on. Imports nothing."""

SERVICE = "gp/service"
ACTOR = "gp/actor"
RELEASE_ID = "gp/release_id"
VERSION = "gp/version"
COLOR = "gp/color"
SOURCE_RUN_ID = "gp/source_run_id"
ROLLED_BACK_BY = "gp/rolled_back_by"
TRIGGER = "gp/trigger"
NUMBER = "gp/number"
# What a queue of runs may limit. A rollback has none: it never waits for its turn.
QUEUE = "gp/queue"
