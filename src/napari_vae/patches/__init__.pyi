from .grid import grid_positions as grid_positions
from .patches import paste_patches as paste_patches
