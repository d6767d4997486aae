"""What a dataset says of its DICOM files beside their headers."""

from __future__ import annotations

from dataclasses import replace

from feedline.common.signatures import suggests
from feedline.trainer.datasets.table import D


@suggests()
def with_dicom_reading(dataset: D, *, repair: str | None = None, window: str | None = None) -> D:
    """Say of DICOM files what their headers do not say, or not rightly.

    Parameters
    ----------
    repair : {"none", "rsna"}, optional
        "rsna": Hounsfield units of unsigned files of 12 bits with slope 1 and an intercept above -100 are
        unwrapped, as some files of the RSNA haemorrhage competition need it. `ImageDataset.from_rsna_csv`
        says so itself. By default, what was said before.
    window : {"file", "minmax", "percentiles"}, optional
        What grey files are seen by in a job for pictures: their own window; or from the lowest to the highest
        value of each; or from that which 1 % of its pixels lie below to that which 1 % lie above.

    Raises
    ------
    ConfigurationError
        A value that is none of these.
    """
    return replace(dataset, dicom=dataset.dicom.changed(repair=repair, window=window))
