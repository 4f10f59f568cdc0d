from .micrograph import as_micrograph as as_micrograph
from .normalization import Normalization as Normalization
from .progress import Progress as Progress
from .spectra import SpectrumImage as SpectrumImage
