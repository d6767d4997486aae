"""What producers and trainers share: the protocol, jobs, transforms and batch layouts."""
