from finished_torch import *


def load(folder):
    model = network()
    model.load_state_dict(torch.load(os.path.join(folder, "weights.pt")))
