"""Lymphocyte subsets: before and after shrinkage, ranks, CD4/CD8, reference ranges."""
