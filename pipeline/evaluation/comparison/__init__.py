"""Comparisons of rows (a fusion with a method, or logistic regression) over several seeds.

`compare` compares on ready-made features, `tables` makes the paper's tables; both train cells (one
row with one seed), estimate scores with intervals, and write reports in the same way.
"""
