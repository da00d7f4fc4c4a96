"""The five services of Assay. They speak by events alone and never import each other."""
