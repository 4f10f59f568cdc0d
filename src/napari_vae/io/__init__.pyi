from .hspy import write_spectra as write_spectra
from .reading import list_datasets as list_datasets
from .reading import read as read
from .spectra import read_spectra as read_spectra
from .stacks import open_stack as open_stack
from .stacks import write_stack as write_stack
