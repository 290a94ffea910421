"""`hgfn compare`: every fusion and method, and logistic regression, on ready-made features."""
