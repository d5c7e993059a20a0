import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim

x = np.random.uniform(-2, 2, (500, 2)).astype(np.float32)
y = (x ** 2).sum(1, keepdims=True)


class QuadraticNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(2, 32)
        self.out = nn.Linear(32, 1)

    def forward(self, x):
        return self.out(torch.relu(self.hidden(x)))


model = QuadraticNet()
criterion = nn.MSELoss()
optimizer = optim.Adam(model.parameters(), lr=0.01)

for epoch in range(20):
    optimizer.zero_grad()
    loss = criterion(model(torch.tensor(x)), torch.tensor(y))
    loss.backward()
    optimizer.step()
    if epoch % 10 == 0:
        print(f"epoch {epoch}, loss {loss.item():.4f}")

print(model(torch.tensor(x[:3])))
