"""A tray agent that gets media onto people's disks.

In one paragraph: whatever a person wants (from the browser, the drop folder, an image sync, the command
line) enters through the *intake*, which writes *downloads* to the *store*. One *pool* claims them,
four at a time, and hands each to *transfer*, which turns one URL into one verified file. What
happens is announced as *events*; tray, notifications, dashboard and event stream only ever read
events, or the *status* folded from them. The main thread belongs to the tray; the front (hook,
agent, the store's callers) lives on one event loop; the engine (libcurl and the files) has a thread
of its own and moves to another where a disk stands still, so that no disk and no transfer ever keeps
a person waiting.

    model/      pure values and decisions: no I/O, no clock, no threads
    lists/      pure: read and write lists of URLs, one dialect a file
    settings/   config.toml and the environment in, one frozen Config out
    net/        the ways out: libcurl for files, a client for services that speak JSON, a checking
                proxy (the gateway) for the page engine; one address policy for all three
    store/      what we remember: one thread with the one SQLite connection that writes
    transfer/   one URL to one verified file: coroutines that the engine drives
    targets/    where finished files move to: a folder of another disk, a bucket of an object store
    engines/    download programs on other machines: aria2
    sites/      video pages, through yt-dlp in a process of its own: the page engine
    sources/    remote libraries, page by page
    agent/      the work that never stops: intake, bus, status, and in three wings the queue (pool,
                jobs, commands), the drop folder and the libraries
    hook/       the local HTTP interface: for the dashboard, the extension, the command line
    desktop/    what a person sees outside the browser: tray, notifications, autostart
    demo/       the offline demonstration
    cli/        commands; a client of the running agent

    app.py         the life of the agent, top to bottom; with or without a tray
    wiring.py      its list of parts: the only place that builds them
    oneshot.py     transfer and page engine without an agent, for `trayagent get`
    instance.py    one agent per home, and the file that says where it is
    loopthread.py  the event loop in a thread of its own, beside the tray
    logs.py        logs that rotate and hold no secret
    files.py       replacing files safely: whole or not at all, for their owner only

Sixteen nouns, each with one meaning everywhere:

    item         what somebody asks for: an address, and what is wished about it
    download     an item on its way to one file, or the record of it; it has one of six states
    batch        downloads that were asked for together; each *entry* says what became of one item
    list         a file of many items: dropped into the folder, it becomes a batch and gets a report
    intake       where every item enters: checked, saved durably, then announced
    job          a download as a slot gets it: its address, its *order* (what was wished), its secrets
    slot         a place of the pool, four of them; one job is at work in it
    attempt      one try to bring the file of a job, from the first request to the final name
    destination  the final name that is held for a file, with its part file and the record beside it
    segment      the stretch of a file that one of its connections brings
    page         one piece of a long listing; a web page with a video in it is a *video page*
    source       a remote library, as the settings name it
    sync         one run over a source: read its pages, fetch what is missing here
    resolver     what tells a job the address to fetch next: a source, or the page engine
    engine       a download program elsewhere; what it has of ours is *handed over*
    event        a fact that is announced on the bus; *status* is the sum of all events so far

    thread          owns                                            may wait for
    --------------  ----------------------------------------------  ---------------------------
    main            the tray's run loop                             a person
    front loop      hook, intake, pool, sync, drop folder, bus      nothing but its own events
    engine          libcurl, every connection, quick files          sockets, a disk for a moment
    transfer        one file whose disk is slow, or long work on it its disk
    database        the one writing SQLite connection               the database's disk
    executor        lists, hashes, thumbnails, keyring, trash       disks

Imports point downwards only:

    cli -> demo -> app -> {hook, desktop} -> agent -> targets
        -> {store, transfer, sources, sites, engines, lists, settings} -> net -> model
"""

__version__ = "0.1.0"
