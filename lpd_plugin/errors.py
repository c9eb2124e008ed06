"""Errors a user sees. Each message is one sentence: what is wrong, where, and what to do."""


class LpdError(Exception):
    """Base of every error raised on purpose; `exit_code` is what the command line returns."""

    exit_code = 1


class BadInput(LpdError):
    """The user's input or usage is wrong (file, parameter, workflow); nothing was written."""

    exit_code = 2


class WorkFailed(LpdError):
    """Something broke while working (codec failure, out of memory); nothing half-written stays."""

    exit_code = 1


class Cancelled(LpdError):
    """The user cancelled; nothing half-written stays."""

    exit_code = 130

    def __init__(self, message: str = "cancelled"):
        super().__init__(message)
