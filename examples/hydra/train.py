"""Ridge regression by gradient descent on the diabetes data, configured with Hydra.

Also runs without trawl: python3 train.py optimizer.lr=0.1 model=polynomial
"""

import logging

import hydra
import numpy as np
from hydra.utils import instantiate
from omegaconf import DictConfig
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

log = logging.getLogger(__name__)


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(cfg: DictConfig) -> float:
    X, y = load_diabetes(return_X_y=True)
    features = make_pipeline(instantiate(cfg.model.features), StandardScaler())
    X_train, X_val, y_train, y_val = train_test_split(X, (y - y.mean()) / y.std(), random_state=cfg.seed)
    X_train, X_val = features.fit_transform(X_train), features.transform(X_val)

    weights = np.zeros(X_train.shape[1])
    for epoch in range(cfg.epochs):
        error = X_train @ weights - y_train
        weights -= cfg.optimizer.lr * (X_train.T @ error / len(error) + cfg.optimizer.weight_decay * weights)
        if (epoch + 1) % cfg.log_every == 0:
            loss = float(np.mean((X_val @ weights - y_val) ** 2))
            log.info("epoch=%d val_loss=%.6f", epoch + 1, loss)
    np.savetxt(f"{hydra.core.hydra_config.HydraConfig.get().runtime.output_dir}/weights.txt", weights)
    return loss


if __name__ == "__main__":
    main()
