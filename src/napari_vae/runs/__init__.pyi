from .likeness import Likeness as Likeness
from .likeness import compare as compare
