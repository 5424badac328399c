"""config.toml, the environment and flags in, one frozen Config out; writes keep the user's comments."""

from trayagent.settings.edit import change
from trayagent.settings.home import Home
from trayagent.settings.load import load, origins, shown

__all__ = ["Home", "change", "load", "origins", "shown"]
