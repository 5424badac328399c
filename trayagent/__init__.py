"""A tray agent that gets media onto people's disks.

The house in one paragraph: every way in (browser, drop folder, image sync, command line) goes
through one door, the *intake*, which writes *downloads* to the *store*. One *pool* claims them,
four at a time, and hands each to *transfer*, which turns one URL into one verified file. What
happens is announced as *events*; tray, notifications, dashboard and event stream only ever read
events, or the *status* folded from them. The main thread belongs to the tray; the front (hook,
agent, the store's callers) lives on one event loop; the engine (libcurl) and the files have threads
of their own, so that no disk and no transfer ever keeps a person waiting.

    model/      pure values and decisions: no I/O, no clock, no threads
    lists/      pure: read and write lists of URLs, one dialect a file
    settings/   config.toml and the environment in, one frozen Config out
    net/        the ways out: libcurl for files, a client for services that speak JSON, a checking
                proxy (the gateway) for the page engine; one address policy for all three
    store/      what we remember: one thread with the one SQLite connection that writes
    transfer/   one URL to one verified file, each in a thread of its own
    sites/      video pages, through yt-dlp in a process of its own: the page engine
    sources/    remote libraries, page by page
    agent/      the work that never stops: bus, intake, pool, drops, library, announcer
    hook/       the local HTTP door
    desktop/    what a person sees outside the browser: tray, notifications, autostart
    demo/       the offline demonstration
    cli/        commands; a client of the running agent

    app.py         the life of the agent, top to bottom; with or without a tray
    wiring.py      its list of parts: the only place that builds them
    oneshot.py     transfer and page engine without an agent, for `trayagent get`
    instance.py    one agent per home, and the file that says where it is
    loopthread.py  the event loop in a thread of its own, beside the tray
    logs.py        logs that rotate and hold no secret

    thread          owns                                            may wait for
    --------------  ----------------------------------------------  ---------------------------
    main            the tray's run loop                             a person
    front loop      hook, intake, pool, sync, drop folder, bus      nothing but its own events
    engine          libcurl's multi handle, every connection        sockets
    one a transfer  the decisions and the file of that transfer     its network, its disk
    database        the one writing SQLite connection               the database's disk
    executor        lists, hashes, thumbnails, keyring, trash       disks

Imports point downwards only:

    cli -> demo -> app -> {hook, desktop} -> agent
        -> {store, transfer, sources, sites, lists, settings} -> net -> model
"""

__version__ = "0.1.0"
