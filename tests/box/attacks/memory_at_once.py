def attack(facts):
    return len(bytearray(8 << 30))
