"""From a row in the store to a file on the disk, and what a person asks of that way.

    pool         claims rows, gives each a slot, saves its outcome, announces it
    job          what one slot does: from the claimed row to what transfer is asked
    video_pages  a job whose address may be a page: transfer first, or the page engine
    retry        what follows a failed try (pure; `get` uses it, too)
    progress     reads how far the running jobs are, and publishes it
    commands     pause, resume, cancel, retry, change, remove, clear; undo of a batch

`commands` changes rows and stops slots through the pool; nothing here calls `commands`.
"""
