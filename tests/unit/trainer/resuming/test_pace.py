"""When a training is to be kept: after batches, a time, or epochs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from feedline.errors import ConfigurationError
from feedline.trainer.resuming.pace import Pace


def test_after_so_many_batches_counted_over_epochs() -> None:
    pace = Pace(np.int64(3))
    pace.trained(2)
    assert not pace.is_due
    assert not pace.is_due_at_end
    pace.trained(2)
    assert pace.is_due
    assert pace.is_due_at_end
    pace.saved()
    assert not pace.is_due


def test_after_each_epoch_and_never_before() -> None:
    pace = Pace("epoch")
    pace.trained(10**9)
    assert not pace.is_due
    assert pace.is_due_at_end


def test_after_a_time() -> None:
    now = 100.0
    pace = Pace(timedelta(minutes=1), clock=lambda: now)
    now = 159.0
    assert not pace.is_due_at_end
    now = 160.0
    assert pace.is_due
    pace.saved()
    assert not pace.is_due


@pytest.mark.parametrize("save_every", [0, -1, 1.5, True, None, "step", timedelta(0), timedelta(seconds=-1)])
def test_what_is_no_pace_is_refused_in_words(save_every: Any) -> None:
    with pytest.raises(ConfigurationError, match="save_every must be") as refused:
        Pace(save_every)
    assert repr(save_every) in str(refused.value)
