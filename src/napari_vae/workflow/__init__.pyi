from .advice import Advice as Advice
from .advice import WindowScan as WindowScan
from .advise import iter_advise as iter_advise
from .apply import Applied as Applied
from .spectra import predict_spectra as predict_spectra
from .window_scan import scan_windows as scan_windows
