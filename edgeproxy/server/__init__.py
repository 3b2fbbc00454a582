"""The viewers' side: sockets in, requests out, responses written as the edge made them."""
