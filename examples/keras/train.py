"""A small network for handwritten digits, trained with Keras and logged for TensorBoard.

Also runs without trawl: python3 train.py --log-dir logs
"""

import argparse

import keras
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

parser = argparse.ArgumentParser()
parser.add_argument("--learning-rate", type=float, default=1e-3)
parser.add_argument("--units", type=int, default=32)
parser.add_argument("--dropout", type=float, default=0.2)
parser.add_argument("--epochs", type=int, default=15)
parser.add_argument("--log-dir", default="logs")
parser.add_argument("--model-path", default="model.keras")
args = parser.parse_args()

keras.utils.set_random_seed(0)
images, labels = load_digits(return_X_y=True)
x_train, x_val, y_train, y_val = train_test_split(images / 16, labels, test_size=0.25, random_state=0)

model = keras.Sequential(
    [
        keras.Input(shape=(64,)),
        keras.layers.Dense(args.units, activation="relu"),
        keras.layers.Dropout(args.dropout),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
model.compile(
    optimizer=keras.optimizers.Adam(args.learning_rate),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
model.fit(
    x_train,
    y_train,
    batch_size=64,
    epochs=args.epochs,
    validation_data=(x_val, y_val),
    callbacks=[keras.callbacks.TensorBoard(log_dir=args.log_dir)],
)
model.save(args.model_path)
