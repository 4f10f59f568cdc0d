from .figures import FigureData as FigureData
from .labelling import label_next as label_next
from .quality import knn_r2 as knn_r2
from .quality import participation_ratio as participation_ratio
from .quality import roughness as roughness
from .regret import mean_regret as mean_regret
from .regret import measurements_to_reach as measurements_to_reach
from .regret import simple_regret as simple_regret
