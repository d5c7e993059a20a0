def f(x):
    # BEGIN SOLUTION (Task 1.1: f)
    raise NotImplementedError("Task 1.1: f")
    # END SOLUTION
