"""What a replay came to, for people and for programs: text, JSON, and rows in CSV, JSON lines and Parquet."""
