from .embedding_quality import knn_r2 as knn_r2
from .embedding_quality import participation_ratio as participation_ratio
from .embedding_quality import roughness as roughness
from .figures import FigureData as FigureData
from .labelling import label_next as label_next
from .regret import mean_regret as mean_regret
from .regret import measurements_to_reach as measurements_to_reach
from .regret import simple_regret as simple_regret
