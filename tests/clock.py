"""The clock of tests that must not wait."""


class Clock:
    """A steady clock, in seconds, that stands still until a test moves it."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now
