"""THE WALK: one flow a function. Knows no Flask; only it calls the writers of store."""
