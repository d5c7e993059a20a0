"""`python -m autograder …` is `grade …`: Scripts folders are often not on a student's PATH."""

from autograder.cli import main

if __name__ == "__main__":
    main()
