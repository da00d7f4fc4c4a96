"""Agreement and paraphrases by HTTP."""
