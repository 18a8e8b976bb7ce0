"""The live explorer: move a prior, see every answer move (``mnbayes explore``)."""
