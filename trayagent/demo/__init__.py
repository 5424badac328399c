"""The demonstration: a whole job without a network, in a minute.

    media     makes a film and pictures
    server    serves them on this machine, as a site and as an image library
    story     starts a real agent in a home of its own, sends it a video, a list and a sync, and
              checks every file that arrived

`trayagent demo` tells the story on a terminal; the tests run the same. Nothing of the user's own
agent is touched: its home, settings and secrets are not read. Each file needs only the one above it, so
that a test may serve the samples without the story, or make them without a server.
"""
