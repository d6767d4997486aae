"""Serving trainers: processes, threads, what was agreed with whom, who builds what next."""
