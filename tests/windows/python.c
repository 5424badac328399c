/* python.exe and pythonw.exe: all that a Python program is, with its DLL and its library beside it. */
#include <windows.h>
#include <stdlib.h>

__declspec(dllimport) int Py_Main(int, wchar_t **);

#ifdef WINDOWLESS
int WINAPI wWinMain(HINSTANCE self, HINSTANCE before, LPWSTR line, int show) { return Py_Main(__argc, __wargv); }
#else
int wmain(int argc, wchar_t **argv) { return Py_Main(argc, argv); }
#endif
