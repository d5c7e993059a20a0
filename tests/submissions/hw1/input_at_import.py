from finished import *


rounds = int(input("How many rounds? "))
