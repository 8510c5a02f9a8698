from . import audio as audio
from . import data as data
from . import models as models
from .classifier import GenreClassifier as GenreClassifier
from .errors import GenreError as GenreError
from .finetuning import GradualUnfreezing as GradualUnfreezing
from .finetuning import LinearProbe as LinearProbe
from .prediction import Prediction as Prediction
from .predictor import Ensemble as Ensemble
from .predictor import Predictor as Predictor
from .predictor import load as load
from .report import Report as Report

__version__: str
