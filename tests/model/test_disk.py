"""A disk is judged by what is usual."""

from trayagent.model.disk import Disk


def test_a_disk_is_judged_by_what_is_usual_and_may_try_again() -> None:
    now = 1000.0
    disk = Disk(lambda: now)
    for _ in range(100):
        disk.note(0.0002)
    assert disk.quick
    for _ in range(3):
        disk.note(0.02)
    assert disk.quick  # as on any busy machine
    for _ in range(20):
        disk.note(0.001)
    assert not disk.quick
    now += 61
    assert disk.quick
    disk.note(0.3)
    assert not disk.quick


def test_a_disk_that_hangs_once_is_slow_and_starts_with_a_clean_sheet() -> None:
    now = 1000.0
    disk = Disk(lambda: now)
    disk.note(0.3)
    assert not disk.quick
    now += 61
    while disk.quick:
        disk.note(0.001)
    now += 61
    for _ in range(2):
        disk.note(0.001)
    assert disk.quick
