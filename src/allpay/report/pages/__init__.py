"""What the report shows of each kind of folder: numbers and charts for its template. The words are in the templates."""
