"""What a sample is made of: images and their colours, companions, boxes."""
