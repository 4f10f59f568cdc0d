from .patches import paste_patches as paste_patches
