"""What the lifespan hands to every request, and how a route gets at it."""

from typing import TypedDict, cast

from starlette.requests import Request

from gameplay.serving.service import Service


class State(TypedDict):
    """The state of the application."""

    service: Service


def service_of(request: Request) -> Service:
    """The service that a request is for."""
    return cast(Service, request.state.service)
