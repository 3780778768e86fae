from world import *
