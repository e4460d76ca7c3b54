"""A small convolutional network for handwritten digits, trained with PyTorch.

Also runs without trawl: python3 train.py --lr 0.01
"""

import argparse
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def loaders(batch_size, seed):
    images, labels = load_digits(return_X_y=True)
    images = torch.tensor(images, dtype=torch.float32).view(-1, 1, 8, 8) / 16
    labels = torch.tensor(labels)
    train, held_out = train_test_split(range(len(labels)), test_size=0.25, random_state=seed, stratify=labels)
    return (
        DataLoader(TensorDataset(images[train], labels[train]), batch_size=batch_size, shuffle=True),
        DataLoader(TensorDataset(images[held_out], labels[held_out]), batch_size=256),
    )


def build_model(width):
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(2 * width * 16, 10),
    )


def train_epoch(model, loader, criterion, optimizer):
    model.train()
    total = 0.0
    for images, labels in loader:
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
    return total / len(loader.dataset)


@torch.no_grad()
def evaluate(model, loader, criterion):
    model.eval()
    total, correct = 0.0, 0
    for images, labels in loader:
        logits = model(images)
        total += criterion(logits, labels).item() * len(labels)
        correct += (logits.argmax(1) == labels).sum().item()
    return total / len(loader.dataset), correct / len(loader.dataset)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("."))
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    train_loader, val_loader = loaders(args.batch_size, args.seed)
    model = build_model(args.width)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    print(f"{sum(p.numel() for p in model.parameters())} parameters, {args}")

    best = 0.0
    for epoch in range(1, args.epochs + 1):
        train_loss = train_epoch(model, train_loader, criterion, optimizer)
        val_loss, accuracy = evaluate(model, val_loader, criterion)
        print(
            f"Epoch {epoch:>3}/{args.epochs} | train loss {train_loss:.4f} | val loss {val_loss:.4f}"
            f" | val acc {100 * accuracy:.2f}%"
        )
        if accuracy > best:
            best = accuracy
            torch.save(model.state_dict(), args.out / "best.pt")
    print(f"Best accuracy: {100 * best:.2f}%")


if __name__ == "__main__":
    main()
