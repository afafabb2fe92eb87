"""Settings that many nodes have, with one name, one range and one widget each. Torch-free.

In: nothing. Out: annotations for signatures; a node that has more to say wraps one in a description of its own.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from graphgen import Slider

Share = Annotated[float, Field(ge=0, le=1), Slider(step=0.05)]
"""A part of a whole, such as a place in the schedule: 0 its beginning, 1 its end."""
Start = Annotated[Share, Field(description="Where it begins to act, as a share of the schedule.")]
End = Annotated[Share, Field(description="Where it ceases to act, as a share of the schedule.")]
Ratio = Annotated[Share, Field(description="How much of the second: 0 is the first alone, 1 the second alone.")]
