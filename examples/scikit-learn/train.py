"""A random forest for the breast cancer data, with scikit-learn's cross-validation.

Also runs without trawl: python3 train.py --n_estimators 100
"""

import argparse

from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_validate

parser = argparse.ArgumentParser()
parser.add_argument("--n_estimators", type=int, default=100)
parser.add_argument("--max_depth", type=int, default=None)
parser.add_argument("--min_samples_leaf", type=int, default=1)
parser.add_argument("--random_state", type=int, default=0)
args = parser.parse_args()

X, y = load_breast_cancer(return_X_y=True)
model = RandomForestClassifier(**vars(args))
scores = cross_validate(model, X, y, cv=5, scoring=["accuracy", "roc_auc"])

print(model)
print(f"Accuracy: {scores['test_accuracy'].mean():.4f} (+/- {scores['test_accuracy'].std():.4f})")
print(f"ROC AUC: {scores['test_roc_auc'].mean():.4f} (+/- {scores['test_roc_auc'].std():.4f})")
