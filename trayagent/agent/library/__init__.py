"""Remote libraries: their sources, what of them is here, and how the rest gets here.

    libraries      what hook, tray and command line ask; starts syncs on schedule
    sources        the sources in the settings, signed in or not, and who resolves their downloads
    sync           one run: read all pages into the store, queue what is missing, wait for it
    missing_files  which items have no file here: adopt one that lies there, or queue a download
    verify         checksums of saved files: filled in after a download, compared on request
    thumbnails     small pictures, decoded by a child process (`thumbnail_child`)

`libraries` calls all others; files come through the intake and the pool like any download.
"""
