"""Parts of ``fuzz.py``: what is opened, whole samples of it, how they are damaged, and the process that opens them."""
