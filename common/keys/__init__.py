"""Who may talk to whom over TCP: key pairs (CURVE), their folders, and sockets that ask for them."""
