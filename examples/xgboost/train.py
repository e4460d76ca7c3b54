"""Gradient-boosted trees for handwritten digits, with XGBoost's own evaluation log.

Also runs without trawl: python3 train.py --eta 0.3
"""

import argparse

import xgboost as xgb
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

parser = argparse.ArgumentParser()
parser.add_argument("--eta", type=float, default=0.3)
parser.add_argument("--max_depth", type=int, default=6)
parser.add_argument("--rounds", type=int, default=40)
parser.add_argument("--model", default="model.json")
args = parser.parse_args()

X, y = load_digits(return_X_y=True)
X_train, X_val, y_train, y_val = train_test_split(X, y, test_size=0.25, random_state=0)
train, validation = xgb.DMatrix(X_train, y_train), xgb.DMatrix(X_val, y_val)

booster = xgb.train(
    {
        "objective": "multi:softprob",
        "num_class": 10,
        "eta": args.eta,
        "max_depth": args.max_depth,
        "eval_metric": ["mlogloss", "merror"],
        "nthread": 1,
    },
    train,
    num_boost_round=args.rounds,
    evals=[(train, "train"), (validation, "validation")],
    early_stopping_rounds=10,
)
print(f"best iteration: {booster.best_iteration}")
booster.save_model(args.model)
