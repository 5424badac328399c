"""A pystray menu on the bus: com.canonical.dbusmenu, version 3.

No `from __future__ import annotations` here: dbus-fast reads the annotations as they are. The
names are the protocol's.
"""
# ruff: noqa: ARG002, N802

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, Final, NamedTuple

from dbus_fast import DBusError, PropertyAccess, Variant
from dbus_fast.annotations import (
    DBusBool,
    DBusInt32,
    DBusSignature,
    DBusStr,
    DBusUInt32,
    DBusVariant,
)
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property, dbus_signal

from trayagent.desktop.tray.icon_tray import Menu, MenuItem

PATH: Final = "/MenuBar"
READ: Final = PropertyAccess.READ

Ids = Annotated[list[int], DBusSignature("ai")]
Names = Annotated[list[str], DBusSignature("as")]
Layout = Annotated[list[Any], DBusSignature("u(ia{sv}av)")]
Groups = Annotated[list[Any], DBusSignature("a(ia{sv})")]
Changes = Annotated[list[Any], DBusSignature("a(ia{sv})a(ias)")]
Revision = Annotated[list[int], DBusSignature("ui")]
Events = Annotated[list[Any], DBusSignature("a(isvu)")]
Refreshed = Annotated[list[Any], DBusSignature("aiai")]


class Node(NamedTuple):
    """A menu item with its place in the tree; the root is number 0."""

    item: MenuItem | None
    properties: dict[str, Variant]
    children: tuple[int, ...]


Tree = dict[int, Node]


def escape_mnemonics(label: str, *, gnome: bool) -> str:
    """The label so that the host shows it verbatim: an underscore marks a mnemonic.

    GNOME's extension takes away only the first underscore that stands before another character,
    the others read two underscores as one.
    """
    return re.sub("_(?=[^_])", "__", label, count=1) if gnome else label.replace("_", "__")


def tree(menu: Menu | None, first: int = 1, *, gnome: bool = False) -> Tree:
    """The root and its items, numbered in order from `first` on. Hidden ones are numbered, too: the shape stays."""
    nodes: Tree = {}

    def add(item: MenuItem | None, submenu: Menu | None) -> int:
        # It takes its number before its children do, and is filled in after them: then it is known
        # whether it has any.
        number = len(nodes) + first - 1 if nodes else 0
        nodes[number] = Node(item, {}, ())
        children = tuple(add(child, child.submenu) for child in (submenu.items if submenu else ()))
        nodes[number] = Node(item, dict(_properties(item, bool(children), gnome)), children)
        return number

    add(None, menu)
    return nodes


def _properties(item: MenuItem | None, parent: bool, gnome: bool) -> Iterator[tuple[str, Variant]]:
    """What differs from the defaults of the protocol."""
    if parent:
        yield "children-display", Variant("s", "submenu")
    if item is None:
        return
    if item is Menu.SEPARATOR:
        yield "type", Variant("s", "separator")
        return
    yield "label", Variant("s", escape_mnemonics(item.text, gnome=gnome))
    if not item.enabled:
        yield "enabled", Variant("b", False)
    if not item.visible:
        yield "visible", Variant("b", False)
    checked = item.checked
    if checked is not None:
        yield "toggle-type", Variant("s", "radio" if item.radio else "checkmark")
        yield "toggle-state", Variant("i", int(checked))


def shape(nodes: Tree) -> list[int]:
    """How many rows each row has below it: what a host must not see change while the menu is open."""
    return [len(node.children) for node in nodes.values()]


def changes(old: Tree, new: Tree) -> tuple[list[Any], list[Any]]:
    """Properties that are new or different, and those that are back at their default."""
    updated, removed = [], []
    for number, node in new.items():
        before = old[number].properties
        fresh = {
            name: value for name, value in node.properties.items() if before.get(name) != value
        }
        gone = [name for name in before if name not in node.properties]
        if fresh:
            updated.append([number, fresh])
        if gone:
            removed.append([number, gone])
    return updated, removed


class DBusMenu(ServiceInterface):
    """The menu object. `clicked` gets the chosen item; `unfolded` is called before a menu shows."""

    def __init__(self, clicked: Callable[[MenuItem], object], *, gnome: bool = False) -> None:
        super().__init__("com.canonical.dbusmenu")
        self._clicked = clicked
        self._gnome = gnome
        self._nodes = tree(None)
        self._revision = 1
        self._first = 1

    def show(self, menu: Menu | None) -> None:
        """Take over another menu: with the same shape, only what differs is sent."""
        # 1. Another shape: hosts ask for all of it again, and close the menu if it is open.
        # 2. The same shape: they change texts and marks in place.
        # 3. Nothing differs: a signal would only wake every panel.
        old, self._nodes = self._nodes, tree(menu, self._first, gnome=self._gnome)
        if shape(old) != shape(self._nodes):
            # KDE and GNOME keep a row by its number and what it had before: a number that came to
            # mean another row would show that one as hidden, or as a line. So all numbers are new.
            self._first += len(old)
            self._nodes = tree(menu, self._first, gnome=self._gnome)
            self._revision += 1
            self.LayoutUpdated()
            return
        updated, removed = changes(old, self._nodes)
        if updated or removed:
            self.ItemsPropertiesUpdated(updated, removed)

    def _wanted_properties(self, number: int, names: Iterable[str]) -> dict[str, Variant]:
        wanted = set(names)
        properties = self._node(number).properties
        return {name: value for name, value in properties.items() if not wanted or name in wanted}

    def _node(self, number: int) -> Node:
        try:
            return self._nodes[number]
        except KeyError:
            raise DBusError("com.canonical.dbusmenu.Error", f"There is no item {number}.") from None

    def _branch(self, number: int, depth: int, names: list[str]) -> list[Any]:
        # A depth of -1 means all levels: counted down it never becomes 0.
        children = self._node(number).children if depth else ()
        below = [Variant("(ia{sv}av)", self._branch(child, depth - 1, names)) for child in children]
        return [number, self._wanted_properties(number, names), below]

    def _handle_event(self, number: int, event: str) -> None:
        # A click may be older than the menu: what is hidden, grey or a submenu by now does nothing.
        item = self._node(number).item
        if (
            event == "clicked"
            and item is not None
            and item.enabled
            and item.visible
            and not item.submenu
        ):
            self._clicked(item)

    @dbus_method()
    def GetLayout(self, parent: DBusInt32, depth: DBusInt32, names: Names) -> Layout:
        return [self._revision, self._branch(parent, depth, names)]

    @dbus_method()
    def GetGroupProperties(self, ids: Ids, names: Names) -> Groups:
        return [
            [n, self._wanted_properties(n, names)] for n in ids or self._nodes if n in self._nodes
        ]

    @dbus_method()
    def GetProperty(self, id: DBusInt32, name: DBusStr) -> DBusVariant:
        try:
            return self._node(id).properties[name]
        except KeyError:
            raise DBusError("com.canonical.dbusmenu.Error", "It has its default.") from None

    @dbus_method()
    def Event(self, id: DBusInt32, event: DBusStr, data: DBusVariant, when: DBusUInt32) -> None:
        self._handle_event(id, event)

    @dbus_method()
    def EventGroup(self, events: Events) -> Ids:
        for number, event, _data, _when in events:
            if number in self._nodes:
                self._handle_event(number, event)
        # The protocol wants those that do not exist: the host's picture of the menu is an old one.
        return [number for number, *_rest in events if number not in self._nodes]

    @dbus_method()
    def AboutToShow(self, id: DBusInt32) -> DBusBool:
        # Nothing to load: the rows are kept up to date all the time.
        return False

    @dbus_method()
    def AboutToShowGroup(self, ids: Ids) -> Refreshed:
        return [[], [number for number in ids if number not in self._nodes]]

    @dbus_signal()
    def LayoutUpdated(self) -> Revision:
        return [self._revision, 0]

    @dbus_signal()
    def ItemsPropertiesUpdated(self, updated: list[Any], removed: list[Any]) -> Changes:
        return [updated, removed]

    @dbus_property(access=READ)
    def Version(self) -> DBusUInt32:
        return 3

    @dbus_property(access=READ)
    def TextDirection(self) -> DBusStr:
        return "ltr"

    @dbus_property(access=READ)
    def Status(self) -> DBusStr:
        return "normal"

    @dbus_property(access=READ)
    def IconThemePath(self) -> Names:
        return []
