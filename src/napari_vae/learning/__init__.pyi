from .explore.exploration import Exploration as Exploration
from .explore.loop import ExplorationStep as ExplorationStep
from .explore.loop import iter_explore as iter_explore
from .explore.stopping import Stopping as Stopping
from .explore.suggestion import Suggestion as Suggestion
