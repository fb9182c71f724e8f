"""The console: the pages that people see. Plain HTML, styles and scripts, served as they lie here; nothing is built."""
