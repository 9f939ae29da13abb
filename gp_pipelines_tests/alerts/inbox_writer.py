"""`python -m … URL COUNT SINCE`: puts the same alerts as all that are given the same numbers."""

import sys
from datetime import datetime

from gp_pipelines.alerts.inbox import Inbox
from gp_pipelines_tests.alerts.examples import alert

if __name__ == "__main__":
    inbox = Inbox(sys.argv[1])
    since = datetime.fromisoformat(sys.argv[3])
    for number in range(int(sys.argv[2])):
        inbox.put([alert(pod=f"pod-{number}", starts_at=since), alert(starts_at=since)])
