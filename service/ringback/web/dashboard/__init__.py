"""The page for supervisors: plain ES modules, served as they lie here."""
