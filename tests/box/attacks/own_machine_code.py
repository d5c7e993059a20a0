import ctypes
import mmap


def attack(facts):
    """Machine code of one's own is under the same filter: here it opens a network socket."""
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=7)
    # mov eax, 41; mov edi, 2; mov esi, 1; xor edx, edx; syscall; ret
    page.write(bytes([0xB8, 41, 0, 0, 0, 0xBF, 2, 0, 0, 0, 0xBE, 1, 0, 0, 0, 0x31, 0xD2, 0x0F, 0x05, 0xC3]))
    came = ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
    return {} if came == -97 else {"socket": came}
