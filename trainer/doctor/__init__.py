"""What `feedline doctor` looks at: the machine, the data, the network, and how fast they are together."""
