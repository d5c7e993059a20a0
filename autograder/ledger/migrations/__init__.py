"""How a ledger gets from one version of its tables to the next, one file a step."""
