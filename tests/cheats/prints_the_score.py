"""Says what a grader says, and leaves before it can say anything else."""

import os

print('{"score": 40}', flush=True)
os._exit(0)
