"""Trees and sheets as the owners of micro-expression datasets hand them out, with drawn, tiny or empty frames.

None of the licensed data is in them: names, columns and counts are the distributions', people and labels are not.
"""

from tests.dataset_layouts.catalogue import FORMS
from tests.dataset_layouts.layout import Clip, Form
from tests.dataset_layouts.published_sizes import full_size_clips
from tests.dataset_layouts.write import Frames, write

__all__ = ["FORMS", "Clip", "Form", "Frames", "full_size_clips", "write"]
