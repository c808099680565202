"""Questions an auditor asks, answered from the ledger, the tables and the models' own files."""
