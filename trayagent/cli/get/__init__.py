"""`trayagent get`: the same downloads without an agent, in memory."""
