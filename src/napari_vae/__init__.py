"""Invariant variational autoencoders for atom-resolved microscopy.

From a micrograph to what varies from atom to atom, in four calls::

    import napari_vae as nv

    image = nv.read("HAADF.dm3")
    atoms = nv.detect_atoms(image)
    run = nv.fit(nv.extract_patches(image, atoms), nv.ModelConfig.preset("rvae"))
    latents = run.encode(nv.extract_patches(image, atoms))

or in one, `analyze`. Names are imported when they are first used, so that importing the package is instant.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import batch as batch
    from . import samples as samples
    from .analysis.embedding_quality import knn_r2 as knn_r2
    from .analysis.embedding_quality import participation_ratio as participation_ratio
    from .analysis.embedding_quality import roughness as roughness
    from .analysis.figures import FigureData as FigureData
    from .analysis.figures import save_figures as save_figures
    from .analysis.labelling import label_next as label_next
    from .analysis.regret import mean_regret as mean_regret
    from .analysis.regret import measurements_to_reach as measurements_to_reach
    from .analysis.regret import simple_regret as simple_regret
    from .atoms import detect_atoms as detect_atoms
    from .atoms import estimate_spacing as estimate_spacing
    from .atoms import iter_detect_atoms as iter_detect_atoms
    from .atoms import link_atoms as link_atoms
    from .batch.long_jobs import detect_files as detect_files
    from .batch.long_jobs import encode_files as encode_files
    from .core.clusters import cluster as cluster
    from .core.errors import InputError as InputError
    from .core.errors import ReadError as ReadError
    from .core.errors import TrainingError as TrainingError
    from .core.micrograph import Micrograph as Micrograph
    from .core.micrograph import as_micrograph as as_micrograph
    from .core.normalization import Normalization as Normalization
    from .core.progress import Progress as Progress
    from .crystal.description import Crystal as Crystal
    from .crystal.description import describe_crystal as describe_crystal
    from .crystal.displacements import measure_displacements as measure_displacements
    from .crystal.intensities import voronoi_intensities as voronoi_intensities
    from .crystal.lattice import Lattice as Lattice
    from .crystal.lattice_vectors import measure_lattice as measure_lattice
    from .crystal.sublattices import assign_sublattices as assign_sublattices
    from .crystal.vacancies import find_vacancies as find_vacancies
    from .io.reading import list_datasets as list_datasets
    from .io.reading import read as read
    from .io.stacks import open_stack as open_stack
    from .io.stacks import write_stack as write_stack
    from .io.writing import read_table as read_table
    from .io.writing import write_image as write_image
    from .io.writing import write_table as write_table
    from .learning.explore.exploration import Exploration as Exploration
    from .learning.explore.loop import ExplorationStep as ExplorationStep
    from .learning.explore.loop import explore as explore
    from .learning.explore.loop import iter_explore as iter_explore
    from .learning.explore.record import ExplorationRecord as ExplorationRecord
    from .learning.explore.stopping import Stopping as Stopping
    from .learning.explore.suggesting import Suggestion as Suggestion
    from .learning.gp.deep_kernel import DeepKernelGP as DeepKernelGP
    from .learning.gp.saving import load_deep_kernel as load_deep_kernel
    from .models.config import ModelConfig as ModelConfig
    from .models.config import TrainConfig as TrainConfig
    from .patches.patches import Patches as Patches
    from .patches.patches import extract_patches as extract_patches
    from .patches.patches import paste_patches as paste_patches
    from .runs.likeness import Likeness as Likeness
    from .runs.likeness import compare as compare
    from .runs.run import Run as Run
    from .runs.run import load_run as load_run
    from .training.fit import fit as fit
    from .training.fit import iter_fit as iter_fit
    from .workflow.advise import Advice as Advice
    from .workflow.advise import advise as advise
    from .workflow.advise import iter_advise as iter_advise
    from .workflow.analyze import Analysis as Analysis
    from .workflow.analyze import analyze as analyze
    from .workflow.apply import Applied as Applied
    from .workflow.apply import apply_run as apply_run
    from .workflow.archive import list_runs as list_runs
    from .workflow.archive import load_analysis as load_analysis

#: The module of every public name; ``""`` marks a module that is public itself.
_HOME = {
    "Advice": "workflow.advise",
    "Analysis": "workflow.analyze",
    "Applied": "workflow.apply",
    "Crystal": "crystal.description",
    "DeepKernelGP": "learning.gp.deep_kernel",
    "Exploration": "learning.explore.exploration",
    "ExplorationRecord": "learning.explore.record",
    "ExplorationStep": "learning.explore.loop",
    "FigureData": "analysis.figures",
    "InputError": "core.errors",
    "Lattice": "crystal.lattice",
    "Likeness": "runs.likeness",
    "Micrograph": "core.micrograph",
    "ModelConfig": "models.config",
    "Normalization": "core.normalization",
    "Patches": "patches.patches",
    "Progress": "core.progress",
    "ReadError": "core.errors",
    "Run": "runs.run",
    "Stopping": "learning.explore.stopping",
    "Suggestion": "learning.explore.suggesting",
    "TrainConfig": "models.config",
    "TrainingError": "core.errors",
    "advise": "workflow.advise",
    "analyze": "workflow.analyze",
    "apply_run": "workflow.apply",
    "as_micrograph": "core.micrograph",
    "assign_sublattices": "crystal.sublattices",
    "batch": "",
    "cluster": "core.clusters",
    "compare": "runs.likeness",
    "describe_crystal": "crystal.description",
    "detect_atoms": "atoms",
    "detect_files": "batch.long_jobs",
    "encode_files": "batch.long_jobs",
    "estimate_spacing": "atoms",
    "extract_patches": "patches.patches",
    "find_vacancies": "crystal.vacancies",
    "explore": "learning.explore.loop",
    "fit": "training.fit",
    "iter_advise": "workflow.advise",
    "iter_detect_atoms": "atoms",
    "iter_explore": "learning.explore.loop",
    "iter_fit": "training.fit",
    "knn_r2": "analysis.embedding_quality",
    "label_next": "analysis.labelling",
    "link_atoms": "atoms",
    "list_datasets": "io.reading",
    "list_runs": "workflow.archive",
    "load_analysis": "workflow.archive",
    "load_deep_kernel": "learning.gp.saving",
    "load_run": "runs.run",
    "mean_regret": "analysis.regret",
    "measure_displacements": "crystal.displacements",
    "measure_lattice": "crystal.lattice_vectors",
    "measurements_to_reach": "analysis.regret",
    "open_stack": "io.stacks",
    "participation_ratio": "analysis.embedding_quality",
    "paste_patches": "patches.patches",
    "read": "io.reading",
    "read_table": "io.writing",
    "roughness": "analysis.embedding_quality",
    "samples": "",
    "save_figures": "analysis.figures",
    "simple_regret": "analysis.regret",
    "voronoi_intensities": "crystal.intensities",
    "write_image": "io.writing",
    "write_stack": "io.stacks",
    "write_table": "io.writing",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("napari-vae")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOME[name]
    return getattr(import_module(f".{home}", __name__), name) if home else import_module(f".{name}", __name__)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
