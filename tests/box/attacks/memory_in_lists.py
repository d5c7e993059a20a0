def attack(facts):
    held = []
    while True:
        held.append([0.0] * 100_000)
