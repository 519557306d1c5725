"""Why a request is refused: each refusal knows the HTTP status that says so."""


class Refusal(Exception):  # noqa: N818 - an answer to the caller, not a fault of ours
    """The caller asked for something that cannot be; nothing was written."""

    status = 400


class Invalid(Refusal):
    """The request is well formed, but asks for what does not exist or may not be."""

    status = 422


class Forbidden(Refusal):
    """The caller may not do this."""

    status = 403


class Unauthorized(Refusal):
    """The caller has not proved who they are."""

    status = 401


class NotFound(Refusal):
    """There is no such thing."""

    status = 404


class NotAcceptable(Refusal):
    """There is no answer in a form that the caller takes."""

    status = 406


class TooSlow(Refusal):
    """The request did not arrive in time."""

    status = 408


class Conflict(Refusal):
    """It is not, or no longer, possible in the present state."""

    status = 409


class TooLarge(Refusal):
    """The body is larger than this service reads."""

    status = 413


class Misdirected(Refusal):
    """Another process of the cluster does this."""

    status = 421


class UnknownMedia(Refusal):
    """The body is of a kind that is not taken here."""

    status = 415


class TooMany(Refusal):
    """The caller has as many as one caller may have; possible again when there are fewer."""

    status = 429


class Unavailable(Refusal):
    """Not now; try again in a moment."""

    status = 503
