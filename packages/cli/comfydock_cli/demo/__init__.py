"""`comfydock demo`: the whole loop in a temporary folder."""
