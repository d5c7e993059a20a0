from finished_torch import fit, load, predict
