"""Where finished files move to: a folder, often of a share, or a bucket of an object store.

Both are asked the same things, in this order, and `agent/mover` is the only one who asks:

    check        is it there, and does it keep what this room promises?
    stage        bring the content near and read it back: from now on only its name is missing
    give_name    the name, which replaces nothing: it is taken, or it is ours
    remove_source  the file here, once the one there is named and noted

    a kill before          the file is whole             the next start finds, and does
    ---------------------  ----------------------------  ---------------------------------------------
    it is staged           here                          a part of ours there: staged anew
    its name is intended   here, and nameless there      the same
    the name there         here, and nameless there      the intention: `is_named` says no, staged anew
    the row says so        here, and there               the intention: `is_named` says yes, noted
    the one here goes      here, and there, as the row   the row: the one here is removed
                           says

So at every moment the file is whole in one of the two places. An answer that gets lost is a kill to the other
side: what happened is decided by the content that has the name, never by memory.

    folder          FolderTarget: copies, or renames on the same disk
    bucket          BucketTarget: asks a process of its own (`bucket_process`) that speaks with the store
    bucket_worker   what runs in that process: the only one that imports obstore
    messages        what the two say to each other
    credentials     the keys of a bucket: from the settings, the environment, the files of AWS
"""
