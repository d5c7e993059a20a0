def attack(facts):
    return pow(3, 10**10) & 1
