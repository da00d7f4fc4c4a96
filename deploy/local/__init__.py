"""The whole of Assay on one machine, without containers or accounts, under supervisord."""
