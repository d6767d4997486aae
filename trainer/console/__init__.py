"""What commands share: progress bars, quiet imports, where things are kept."""
