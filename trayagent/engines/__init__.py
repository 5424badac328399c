"""Download programs on other machines that fetch instead of us: today aria2.

An engine is asked two things, in as few requests as there can be:

    look      what it remembers, and how its downloads are (`RemoteView`)
    send      commands, each answered for itself: take a download, pause, go on, remove, limit

It decides nothing. When a download is handed over, and what follows an answer, or its loss, stands in
`agent/queue/remote_queue`. Requests go out through `net/api_client`, by the same rules for addresses as all
others; the address in the settings is the user's own word.
"""
