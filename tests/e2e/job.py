"""On Windows what a test has started ends with the test's process, however that ends: a job object.

There pytest-timeout ends a process in the middle of a test, whose `with` then ends no agent any more.
"""

from __future__ import annotations

import subprocess
import sys
from functools import cache

if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    KILL_ON_JOB_CLOSE = 0x2000
    BASIC_PROCESS_ID_LIST, EXTENDED_LIMIT_INFORMATION = 3, 9
    """Classes of what can be asked of a job, and told (`JOBOBJECTINFOCLASS`)."""
    MOST_PROCESSES = 256
    MAX_PATH = 1024
    PROCESS_QUERY_LIMITED_INFORMATION = 0x1000

    class Limits(ctypes.Structure):
        """JOBOBJECT_EXTENDED_LIMIT_INFORMATION, most of which stays zero."""

        _fields_ = (
            ("times", ctypes.c_int64 * 2),
            ("flags", wintypes.DWORD),
            ("working_set", ctypes.c_size_t * 2),
            ("processes", wintypes.DWORD),
            ("affinity", ctypes.c_size_t),
            ("classes", wintypes.DWORD * 2),
            ("io", ctypes.c_uint64 * 6),
            ("memory", ctypes.c_size_t * 4),
        )

    class Processes(ctypes.Structure):
        """JOBOBJECT_BASIC_PROCESS_ID_LIST."""

        _fields_ = (
            ("all", wintypes.DWORD),
            ("listed", wintypes.DWORD),
            ("ids", ctypes.c_size_t * MOST_PROCESSES),
        )

    _kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    _kernel.CreateJobObjectW.restype = wintypes.HANDLE
    _HANDLE, _POINTER = wintypes.HANDLE, ctypes.c_void_p
    _kernel.SetInformationJobObject.argtypes = (_HANDLE, ctypes.c_int, _POINTER, wintypes.DWORD)
    _kernel.QueryInformationJobObject.argtypes = (
        *_kernel.SetInformationJobObject.argtypes,
        _POINTER,
    )
    _kernel.AssignProcessToJobObject.argtypes = (_HANDLE, _HANDLE)
    _kernel.OpenProcess.restype = _HANDLE
    _kernel.OpenProcess.argtypes = (wintypes.DWORD, wintypes.BOOL, wintypes.DWORD)
    _kernel.QueryFullProcessImageNameW.argtypes = (_HANDLE, wintypes.DWORD, _POINTER, _POINTER)
    _kernel.CloseHandle.argtypes = (_HANDLE,)

    @cache
    def _job() -> int:
        """The one job of this process; nobody closes its handle but the system, at our end."""
        job: int = _kernel.CreateJobObjectW(None, None)
        limits = Limits(flags=KILL_ON_JOB_CLOSE)
        size = ctypes.sizeof(limits)
        if not _kernel.SetInformationJobObject(
            job, EXTENDED_LIMIT_INFORMATION, ctypes.byref(limits), size
        ):
            raise ctypes.WinError(ctypes.get_last_error())
        return job

    def end_with_us(process: subprocess.Popen[bytes]) -> None:
        """The process and whatever it starts from now on end at the latest with this one."""
        if not _kernel.AssignProcessToJobObject(_job(), int(process._handle)):
            raise ctypes.WinError(ctypes.get_last_error())

    def running() -> set[int]:
        """The numbers of all Pythons of the job that have not ended; a console's own process is none."""
        told = Processes()
        if not _kernel.QueryInformationJobObject(
            _job(), BASIC_PROCESS_ID_LIST, ctypes.byref(told), ctypes.sizeof(told), None
        ):
            raise ctypes.WinError(ctypes.get_last_error())
        return {id for id in told.ids[: told.listed] if _program(id).startswith("python")}

    def _program(id: int) -> str:
        """The name of a process's program, in small letters; empty for one that has ended."""
        if not (process := _kernel.OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, False, id)):
            return ""
        try:
            path, length = ctypes.create_unicode_buffer(MAX_PATH), wintypes.DWORD(MAX_PATH)
            if not _kernel.QueryFullProcessImageNameW(process, 0, path, ctypes.byref(length)):
                return ""
            return path.value.rpartition("\\")[2].lower()
        finally:
            _kernel.CloseHandle(process)

else:

    def end_with_us(process: subprocess.Popen[bytes]) -> None:
        """Nothing: there pytest-timeout raises in the test, which then ends what it has started."""
