import numpy as np
from tensorflow.keras import Sequential
from tensorflow.keras.layers import Dense

x = np.random.uniform(-2, 2, (200, 2)).astype(np.float32)
y = (x ** 2).sum(1, keepdims=True)

model = Sequential([Dense(32, activation="relu"), Dense(1)])
model.compile("adam", "mse")
model.fit(x, y, epochs=2)
