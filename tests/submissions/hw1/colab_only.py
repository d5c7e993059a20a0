from google.colab import drive
from finished import *

drive.mount("/content/drive")
