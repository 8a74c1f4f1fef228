"""The kinds of arrays that models take and return: names come out, nothing goes in.

A name says what the numbers are, not how many axes there are; a docstring gives the shape.
"""

import numpy as np
from numpy.typing import NDArray

FloatMatrix = NDArray[np.float64]
SingleMatrix = NDArray[np.float32]
Points = NDArray[np.floating]  # in single or double precision
IndexMatrix = NDArray[np.int64]
Flags = NDArray[np.bool_]
