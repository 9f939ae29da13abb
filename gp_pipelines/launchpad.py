"""What every job's launchpad asks: for a service, from those that there are."""

from enum import Enum
from typing import Any

import dagster as dg
from pydantic import Field, create_model

from gp_pipelines.services import Services


def service_choice(services: Services) -> type[Enum]:
    """The services to choose from, so that a wrong name is refused before anything runs."""
    return Enum("ServiceName", {name: name for name in services.names})  # type: ignore[return-value]


def service_config(services: Services, description: str) -> type[dg.Config]:
    """A form that asks for a service only."""
    fields: dict[str, Any] = {
        "service": (service_choice(services), Field(description=description)),
    }
    return create_model("ServiceConfig", __base__=dg.Config, **fields)
