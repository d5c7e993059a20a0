import threading


def attack(facts):
    def burn():
        block = bytes(1 << 24)
        import hashlib

        while True:
            hashlib.sha256(block).digest()  # outside of the interpreter's lock

    for _ in range(3):
        threading.Thread(target=burn, daemon=True).start()
    burn()
