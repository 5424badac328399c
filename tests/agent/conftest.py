"""The agent's half that lives on the front loop never keeps it from turning."""

from tests.standstill import no_standstill

__all__ = ["no_standstill"]
