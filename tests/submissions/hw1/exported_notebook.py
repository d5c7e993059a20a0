from finished import *


# In[1]:
get_ipython().run_line_magic("matplotlib", "inline")
