"""What keeps a service from starting."""


class StartError(Exception):
    """The service does not start, and its message says what to do."""


class AddressError(StartError):
    """The address is taken, or is none of this machine's."""


class FolderInUse(StartError):  # noqa: N818 - named for what is so
    """Another service serves this ledger."""
