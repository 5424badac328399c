"""Remote libraries: their sources, what of them is here, and how the rest gets here.

    libraries      what hook, tray and command line ask; starts syncs, also on schedule
    sources        the sources in the settings, signed in or not; what resolves their downloads
    sync           one run: read all pages into the store, queue what is missing, wait for it
    missing_files  which items have no file here: adopt one that lies there, or queue a download
    verify         checksums of saved files: filled in after a download, compared on request
    thumbnails     small pictures, decoded by a child process (`thumbnail_child`)

An *item* is one picture or video of a source; a *run* is one pass over all its pages; a *stray* is a
file in a source's folder that no item has. `libraries` calls all the others, `sync` calls
`missing_files`, which hands downloads to the intake: from there they go the way of any download, and
the pool asks `sources` where their bytes are. What only `libraries` calls is a noun each: nothing in
one of these files needs to be known to read another.
"""
