from .description import Crystal as Crystal
from .displacements import measure_displacements as measure_displacements
from .intensities import voronoi_intensities as voronoi_intensities
from .lattice import Lattice as Lattice
from .lattice_vectors import measure_grains as measure_grains
from .lattice_vectors import measure_lattice as measure_lattice
from .vacancies import find_vacancies as find_vacancies
