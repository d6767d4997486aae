"""Headers of DICOM files: whose a slice is, and which slices are its neighbours."""
