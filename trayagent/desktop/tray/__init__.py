"""The tray icon: everything at a glance, on every desktop.

    tray         `Tray` and `Actions`, as the app sees them; `NoTray`
    choice       which tray this desktop gets; `linux` knows the reasons there
    snapshot     all that is shown, one frozen value
    menu         pure: a snapshot in, rows, icon state and tooltip out
    icons        the pictures of every state and size, drawn from one description
    icon_tray    the tray around a pystray icon, four repaints a second at most
    sni          Linux desktops (StatusNotifierItem), with `dbusmenu` and `session_bus`
    xembed, win32, darwin   X11 trays, Windows and macOS: pystray's icons, mended

`show` may be called from any thread. It keeps the newest snapshot and pokes a `Pace`, whose thread
hands over what changed; each icon brings that to the thread of its desktop. A desktop has a file, and
`choice` is the only one to import it: what it needs (GTK, Xlib, D-Bus, AppKit) is not there elsewhere.
"""
