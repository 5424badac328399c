"""What we remember: one SQLite database, and secrets in files of their own or in the keyring.

`Database` runs functions of this room as whole transactions, in a thread of its own; a result is
durable when the caller has it. Rows stay here: what comes out is frozen values of `model`, or structs
that a file here names. The agent calls a transaction by its name and adds no SQL of its own.

    admission     how an item enters the queue: once, whoever asks and however often
    downloads     their table, look-ups; `listing`, `folding` and `queue_order` show and move them
    claims        which downloads the slots may have next, in turn by host
    transitions   from one state to the next: what a slot reports, what a person asks
    recovery      what the run before left, which may have been killed
    batches       downloads that were asked for together, and what became of each entry; `undo`
    drop_lists    lists of the drop folder, and how far each is read
    library       items of remote libraries; `sync_runs` their listings; `saved_files` all files to check
    handovers, moves, outbox     what is at an engine elsewhere; on its way to a share; to be told
    trimming      what ended long ago is forgotten
    clients, facts, secrets      paired browsers; single values; cookies, headers and logins

Commands are verbs and return what changed; questions are nouns and change nothing. A file here may have one
caller (`undo`, `trimming`): it is a whole transaction, and its SQL stays in this room.
"""
