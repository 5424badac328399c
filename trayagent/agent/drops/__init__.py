"""The drop folder: a list that is put there becomes downloads, then a report.

    folder  the folder on the disk: which lists lie there, whether they are whole, a watcher's hints
    reader  the service: takes lists, enters their lines in chunks, ends each with a report
    report  what is left of a list: `LIST.report.json`, `LIST.retry.txt`, and its final place

`reader` calls the other two and the intake. They are three files because they fail apart: a folder that
is away, a list that cannot be read, a report that finds no room on the disk.
"""
