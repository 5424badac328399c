"""What a person sees outside the browser: tray, notifications, autostart, opened files.

    clicks      the tray's `Actions` and the buttons of popups, done by the agent on its loop
    feed        folds the agent's events into the `Snapshot` that the tray shows
    notifier    popups of the desktop; the announcer of the agent decides which and when
    opener      files, folders and pages, opened with the desktop's own programs
    clipboard   the text a person copied
    autostart   the entry that starts us with the session
    folder_chooser, power
                a folder chosen in the desktop's own dialog; sleeping and shutting down
    browser_extension, native_messaging, local_desktop
                the extension unpacked and introduced to the browsers, for the dashboard
    doctor      what stands in the way of any of these, and what helps
    tray/       the icon and its menu, on the main thread

Snapshots go to the tray (`Feed` -> `Tray.show`), clicks come back (`Actions` -> `Clicks`), and each
way crosses from one thread to the other exactly once. No tray, no popups and no clipboard are
normal states: everything else works without them. One file is one thing of a desktop, which can be
missing by itself, and whose commands and libraries differ by system; most have one caller.
"""
