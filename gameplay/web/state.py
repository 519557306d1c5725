"""The application's state, which the lifespan hands to every request."""

from collections.abc import Sequence
from typing import TypedDict, cast

from starlette.requests import Request

from gameplay.serving.service import Service
from gameplay.web.calls import Call
from gameplay.web.console.templating import Pages
from gameplay.web.console.watching import Live
from gameplay.web.deliveries import Deliveries
from gameplay.web.lanes import Lanes
from gameplay.web.limits import Limits
from gameplay.web.stopping import Stopping
from gameplay.web.streams import Streams
from ledger.masking import Masking


class State(TypedDict):
    """Made once, at the start."""

    service: Service
    lanes: Lanes
    limits: Limits
    streams: Streams
    deliveries: Deliveries
    masked: Masking
    pages: Pages
    live: Live
    stopping: Stopping
    calls: Sequence[Call]


def service_of(request: Request) -> Service:
    """The service that a request is for."""
    return _state_of(request)["service"]


def lanes_of(request: Request) -> Lanes:
    """Where the request's blocking work is done."""
    return _state_of(request)["lanes"]


def limits_of(request: Request) -> Limits:
    """What the request may take."""
    return _state_of(request)["limits"]


def streams_of(request: Request) -> Streams:
    """The answers of the process that have no end of their own."""
    return _state_of(request)["streams"]


def deliveries_of(request: Request) -> Deliveries:
    """The deliveries of MLflow's webhook that have come lately."""
    return _state_of(request)["deliveries"]


def masked_of(request: Request) -> Masking:
    """What takes the secrets of the settings out of a text for the caller."""
    return _state_of(request)["masked"]


def pages_of(request: Request) -> Pages:
    """The templates and static files of the console."""
    return _state_of(request)["pages"]


def calls_of(request: Request) -> Sequence[Call]:
    """Every call that the application takes."""
    return _state_of(request)["calls"]


def live_of(request: Request) -> Live:
    """The news of the head, for pages that watch."""
    return _state_of(request)["live"]


def _state_of(request: Request) -> State:
    # Not by the framework's object with attributes, made anew for each request: a move asks several times.
    return cast(State, request.scope["state"])
