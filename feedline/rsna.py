"""The RSNA intracranial haemorrhage competition, from its labels to a submission: see docs/rsna.md."""

from feedline.trainer.rsna import (
    SUBTYPE_WEIGHTS,
    SUBTYPES,
    predict_tta,
    weighted_log_loss,
    write_submission,
)

__all__ = ["SUBTYPES", "SUBTYPE_WEIGHTS", "predict_tta", "weighted_log_loss", "write_submission"]
