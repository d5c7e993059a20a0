from finished import *


while True:
    print("still training " * 100)
