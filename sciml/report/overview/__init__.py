"""What all pages of a run say together, as Markdown for the manuals, from their `report.json` files alone."""
