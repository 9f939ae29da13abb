"""One build, as a program of its own: two of them meet, or one is killed."""

import sys
from pathlib import Path

from gp_pipelines.artifacts.wheel import WheelArtifacts
from gp_pipelines.services import Service

if __name__ == "__main__":
    service = Service.model_validate_json(sys.argv[1])
    artifacts = WheelArtifacts(service, Path(sys.argv[2]))
    artifact = artifacts.provide("v1", print, 60)
    print(f"{artifact.built} {artifact.location}")
