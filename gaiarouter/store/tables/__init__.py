"""The store's tables, a file each: its statements, its rows, and what is done with them."""
