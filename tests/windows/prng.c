/* bcryptprimitives.dll, which Wine 8 lacks: programs made with Rust take their random bytes from it. */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID, ULONG); /* RtlGenRandom */

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T size) {
    while (size) {
        ULONG piece = size > 0x1000000 ? 0x1000000 : (ULONG)size;
        if (!SystemFunction036(data, piece)) return FALSE;
        data += piece;
        size -= piece;
    }
    return TRUE;
}
