"""`trayagent get`: the same downloads without an agent.

`command` reads the command line, tells a person how it goes, and turns Ctrl-C into one orderly end.
`downloader` is the queue: in memory, with the agent's own rules for a host's turn, for trying again and
for leaving a busy host alone (`model/retry`). It asks `oneshot` for files, which is the agent's
transfer and page engine without the agent. `journal` remembers what an interrupted run has finished, so
that the same command goes on instead of beginning anew.

A download here is ready, running, waiting for its next try, or ended (completed or failed); nothing of
that outlives the process but the parts, their records and the journal. `command` faces a person,
`downloader` knows none, and the journal can be read and torn without either: that is why each is a file.
"""
