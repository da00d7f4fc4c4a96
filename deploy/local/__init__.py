"""All of Assay on one machine under supervisord, without containers or accounts."""
