"""From a row in the store to a file on the disk, and what a person asks of that way.

    pool         gives rows a slot, saves what began and how it ended, announces it
    lineup       a slot, and what the slots may begin next, for the loop and the engine's thread
    job          what one slot does: from the claimed row to what transfer is asked
    video_pages  a job whose address may be a page: transfer first, or the page engine
    elsewhere    engines on other machines; each has a `remote_queue` in the place of slots
    progress     reads how far the running jobs are, and publishes it
    commands     pause, resume, cancel, retry, change, remove, clear; undo of a batch

A row is `queued`, then `active` in a slot, then `completed` or `failed`, or `queued` again; a person
makes it `paused` or `cancelled`. `commands` changes rows and stops slots through the pool; `pool`
calls `job` and `progress`, `job` calls `video_pages`; none of them calls `commands`. What follows a
failed try is decided in `model/retry`. `lineup` and `progress` serve the pool alone and know no slot's task;
`remote_queue` is to one engine what the pool is to this machine.
"""
