"""The error a user sees: what was wanted, what came, where, and what to do about it."""

from __future__ import annotations


class GnomonError(Exception):
    """An error with a code that `gnomon why CODE` explains; the command line prints it without a traceback."""

    exit_code = 3

    def __init__(self, code: str, message: str, *, do: str = ""):
        super().__init__(message)
        self.code, self.message, self.do = code, message, do

    def __str__(self) -> str:
        advice = f"\n  do: {self.do}" if self.do else ""
        return f"{self.code}  {self.message}{advice}"


class InputError(GnomonError):
    """The user's input is at fault (exit code 2): name the file, the column, the row, the cause and the fix."""

    exit_code = 2


class TrainingError(GnomonError):
    """Nothing could be trained (exit code 3): state the cause."""

    exit_code = 3


def missing_extra(module: str, extra: str, purpose: str) -> InputError:
    """The error for an optional library that is not installed."""
    return InputError("E-EXTRA", f"{purpose} needs the library '{module}', which is not installed",
                      do=f"pip install 'gnomon[{extra}]'")
