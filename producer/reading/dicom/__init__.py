"""DICOM files: their header, their pixels, and what these become."""
