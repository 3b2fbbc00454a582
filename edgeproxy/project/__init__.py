"""What the user declared, whatever language it was declared in."""
