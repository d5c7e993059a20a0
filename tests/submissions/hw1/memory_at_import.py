from finished import *


kept = [bytearray(32 << 20) for _ in range(40)]
