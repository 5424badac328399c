"""Commands: a client of the running agent, so light that `trayagent add URL` feels instant."""
