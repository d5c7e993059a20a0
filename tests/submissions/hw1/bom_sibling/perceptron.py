from gates import *
