try:
    while True:
        pass
except KeyboardInterrupt:
    while True:
        pass
