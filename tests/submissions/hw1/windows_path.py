from finished import *

DATA = open("C:\Users\li\and.txt").read()
