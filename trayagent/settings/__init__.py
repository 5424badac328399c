"""Settings: config.toml, the environment and flags in, one frozen `Config` out.

`Home` (home) knows where everything of an installation lies. `load` gathers a `RawValue` for every key
that was written somewhere, the strongest place last: flag over environment over file over default. It
converts each for itself (schema), fills in the folders, and asks the `rules` what no type can say. All
problems are told at once, each with its key, its place and a likely meaning, as one ConfigError.

`change` (edit) writes to config.toml what the dashboard or `trayagent config set` asks for: comments and
order stay, and nothing is written unless the result loads. `visible_values` are the settings for people
and programs, without the secrets in them. The types and defaults themselves are `model/settings.py`.

Who calls: `app` at a start, `agent/live_settings` for changes, `hook/api`, and the command line, which
reads the same files when no agent runs.
"""

from trayagent.settings.edit import change
from trayagent.settings.home import Home
from trayagent.settings.load import load, origins, visible_values

__all__ = ["Home", "change", "load", "origins", "visible_values"]
