import sys

print('100.0')
sys.displayhook = print
100.0
