"""Where requests are kept until the tables have taken them: acknowledged means on disk."""
