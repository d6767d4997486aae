"""The producer: turns tickets into batches. Knows nothing of trainers but the protocol."""

import os

from feedline.common.formats.images import MOST_PIXELS

# OpenCV looks at it when it is loaded, and counts pixels itself: a header that is read here in another way
# than there, by accident or not, gets no more memory either.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MOST_PIXELS))
