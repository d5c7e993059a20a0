import matplotlib

matplotlib.use("TkAgg")
import matplotlib.pyplot as plt
from finished import *

plt.figure()
plt.plot([0, 1], [1, 0])
plt.show()
plt.switch_backend("Qt5Agg")
plt.plot([0, 1], [0, 1])
plt.savefig("line.png")
print("drawn with", type(plt.gcf().canvas).__name__)
