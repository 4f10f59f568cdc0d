"""The dock widgets; the only part of the package that needs Qt."""
