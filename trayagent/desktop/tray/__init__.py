"""The tray icon: everything at a glance, on every desktop."""
