def attack(facts):
    while True:
        print("x" * 65536, flush=True)
