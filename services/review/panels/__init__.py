"""Panels: people score items blind; agreement, adjudication and the quality of the reviewing."""
