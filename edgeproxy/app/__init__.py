"""The composition root: a project and settings become running doors, swapped on reload."""
