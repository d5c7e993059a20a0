"""What the student reads goes to a terminal, to a page and to a table."""


def add(a, b):
    raise ValueError("=1+1 \x1b]0;title\x07\x1b[2J\x9b31m \u202e [red]40/40[/] <b>40</b>\r✓ 40/40")


def slope(xs, ys, seed=0):
    return sum(x * y for x, y in zip(xs, ys)) / sum(x * x for x in xs)
