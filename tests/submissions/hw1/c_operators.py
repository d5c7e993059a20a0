def f(x):
    if x > 0 && x < 100:
        return 1
    return 0
