"""What every patch of this package is made with."""
