from finished import *

print("trained)
