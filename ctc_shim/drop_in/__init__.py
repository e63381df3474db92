"""Our loss in the place of other libraries' own, on request."""
