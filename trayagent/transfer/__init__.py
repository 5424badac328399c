"""One URL to one verified file.

    transfer       the façade: fetch, publish what is here already, forget, discard
    attempt        one try, top to bottom: ask, look, name, receive, verify, publish
    driver         who drives an attempt: the engine's thread, or one of its own where the disk is slow
    connections    several connections for one file; each fills a `Lane`, whose bytes a `Writer` takes to
                   the disk
    destination    the name that is held, with its `part_file` and what is certain of it, until `publish`;
                   a file that came at once needs no more than an `unnamed_file`
    settled        what has arrived but perhaps nobody has noted
    ranges         proofs that two answers are the same file; pure, like `content`, `containers`, `width`

The pool and `get` call `transfer`, and nobody else in here. An attempt asks through `net.request` and is
woken by the engine; it decides in memory and touches the disk between two calls of libcurl.

Some files serve one neighbour, and are read alone: `width` decides how many connections, from numbers only;
`equipment` and `names` are what attempts share; `checksums` and `containers` know formats; `marks` and
`disk_calls` are where the systems differ; `made` takes the way of files that no request brings.
"""
