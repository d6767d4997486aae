"""Constructors of datasets with boxes, one file per format.

They become class methods of `ImageDataset`. All of them leave out boxes without an area, with one warning,
because published sets have some; whatever else is wrong is a `DatasetError` that says where it stands.
Coordinates are those of the image as it is seen, after its Exif orientation.
"""
