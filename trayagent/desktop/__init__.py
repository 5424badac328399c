"""What a person sees outside the browser: tray, notifications, autostart, opened files."""
