from .detect import detect_atoms as detect_atoms
from .detect import estimate_spacing as estimate_spacing
from .detect import iter_detect_atoms as iter_detect_atoms
from .linking import iter_link_atoms as iter_link_atoms
from .linking import link_atoms as link_atoms
