"""Commands: a client of the running agent, so light that `trayagent add URL` feels instant.

`main` finds the command, imports only its module, and ends every error in words and an exit code
(`exits`). A module holds one command or a family: `run` (also quit, version), `add`, `show` (list,
status, why), `queue` (pause … undo), `plan`, `sync` (also verify), `source`, `desktop` (open, dashboard,
pair, …), `extension`, `config`, `sites`, `doctor`, `logs`, `demo`; only browsers start `native_host`. `get` downloads
without an agent and is a package of its own.

What commands share: `options` (the decorators, the home, the agent), `client` (AgentClient, the HTTP
API over the standard library), `output` (Screen: tables and sentences for people, JSON for programs),
`wording` (a download in words), `progress` (bars), `lists` (lists as files), `streams` (stdin, stdout and
stderr as they really are), `process` (another process of this user).

Imports at the top of these modules are counted in milliseconds: what only one branch of a command
needs is imported there. So a command has a file of its own, though nobody but `main` names it.
"""
