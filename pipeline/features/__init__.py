"""Features of all samples: recipes, the item cache, and the engines that fill it."""
