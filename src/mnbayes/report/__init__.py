"""The report: the kit that sections are made with, and the page and terminal that show them."""
