"""Trees and sheets as the owners of micro-expression datasets hand them out, with drawn, tiny or empty frames.

None of the licensed data is in them: names, columns and counts are the distributions', people and labels are not.
"""

from services.local.synth.layouts.form import Clip, Form
from services.local.synth.layouts.forms import FORMS
from services.local.synth.layouts.full import full
from services.local.synth.layouts.write import Frames, write

__all__ = ["FORMS", "Clip", "Form", "Frames", "full", "write"]
