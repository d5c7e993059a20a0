"""An exception that is its own cause, with groups within groups and notes without end."""


def add(a, b):
    error: Exception = ValueError("x" * 1_000_000)
    for _ in range(5_000):
        error = ExceptionGroup("more", [error])
    error.__notes__ = ["note" * 1000] * 1000
    error.__cause__ = error.__context__ = error
    raise error


def slope(xs, ys, seed=0):
    return sum(x * y for x, y in zip(xs, ys)) / sum(x * x for x in xs)
