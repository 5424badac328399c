from pystray._base import Icon as Icon, Menu as Menu, MenuItem as MenuItem
