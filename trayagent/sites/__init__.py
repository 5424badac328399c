"""Video pages, through yt-dlp: the page engine.

yt-dlp is a large program that runs whatever a site's page makes it do, so it never runs in the agent.
`engine` (YtDlpEngine) answers the agent: what becomes of this page? For each page it starts a
`worker_process` (WorkerProcess), which writes into a ScratchFolder and reaches the web through the
gateway only. `worker` is what runs in that process: it gives up all rights it does not need
(`landlock`), then has `extract` ask yt-dlp. The two ends speak `protocol`, one JSON object a line.

    looking ──> fetching ──> merging ──> FileMade        yt-dlp fetched it, in pieces, say
       ├──> DirectMedium      one plain file: the agent's own transfer fetches it
       ├──> SeveralEntries    a playlist: the first stands for the page, the others are queued
       ├──> UnknownSite       no site that yt-dlp knows by name (only if that was asked)
       └──> WorkerFailure     why, in a download's codes (`reasons`); possible in every phase

`update` keeps the releases of yt-dlp and fetches newer ones. The agent's queue/video_pages calls
the engine; nothing here knows of queue or store. `worker` and `extract` have one importer each, since
the agent itself must never import them: they are loaded in the other process only.
"""
