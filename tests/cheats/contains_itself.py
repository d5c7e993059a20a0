def add(a, b):
    held = [5]
    held.append(held)
    return held


def slope(xs, ys, seed=0):
    return sum(x * y for x, y in zip(xs, ys)) / sum(x * x for x in xs)
