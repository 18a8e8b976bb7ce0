"""What every section is made with: words, tables, pictures, style."""
