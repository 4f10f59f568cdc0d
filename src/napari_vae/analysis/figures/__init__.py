"""Figures that can be published: atoms on the micrograph, angles, class means, manifold, scatter, loss."""

from .angles import angle_figure as angle_figure
from .catalogue import CATALOGUE as CATALOGUE
from .changes import changes_figure as changes_figure
from .data import FigureData as FigureData
from .density import density_figure as density_figure
from .micrographs import overlay_figure as overlay_figure
from .models import loss_figure as loss_figure
from .models import manifold_figure as manifold_figure
from .planes import scatter_figure as scatter_figure
from .saving import FORMATS as FORMATS
from .saving import iter_save_figures as iter_save_figures
from .saving import save_figures as save_figures
from .window_sizes import window_sizes_figure as window_sizes_figure
from .windows import class_means_figure as class_means_figure
