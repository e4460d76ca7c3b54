"""A small BERT classifier, trained from scratch with the Hugging Face Trainer on sentences that the program generates.

Also runs without trawl: python3 train.py --output_dir out --learning_rate 1e-3
"""

import random
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.utils.data import Dataset
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    HfArgumentParser,
    Trainer,
    TrainingArguments,
    set_seed,
)

POSITIVE = ["good", "great", "fine", "lovely", "superb"]
NEGATIVE = ["bad", "poor", "awful", "dull", "weak"]
NEUTRAL = ["the", "a", "film", "plot", "was", "and", "very", "scene", "actor", "story"]
VOCABULARY = ["[PAD]", "[CLS]", "[SEP]", *POSITIVE, *NEGATIVE, *NEUTRAL]


@dataclass
class ModelArguments:
    hidden_size: int = field(default=32)
    layers: int = field(default=1)


class Sentences(Dataset):
    """Sentences of neutral, positive and negative words. The label is 1 if more words are positive than negative."""

    def __init__(self, count, seed, length=12):
        generator = random.Random(seed)
        ids = {word: index for index, word in enumerate(VOCABULARY)}
        self.items = []
        for _ in range(count):
            label = generator.randrange(2)
            more, less = (POSITIVE, NEGATIVE) if label else (NEGATIVE, POSITIVE)
            words = generator.choices(more, k=3) + generator.choices(less, k=1) + generator.choices(NEUTRAL, k=length - 4)
            generator.shuffle(words)
            tokens = [ids["[CLS]"], *(ids[word] for word in words), ids["[SEP]"]]
            self.items.append({"input_ids": torch.tensor(tokens), "labels": torch.tensor(label)})

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


def compute_metrics(prediction):
    logits, labels = prediction
    return {"accuracy": float((np.argmax(logits, axis=-1) == labels).mean())}


def main():
    parser = HfArgumentParser((ModelArguments, TrainingArguments))
    model_args, training_args = parser.parse_args_into_dataclasses()
    set_seed(training_args.seed)
    config = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=model_args.hidden_size,
        num_hidden_layers=model_args.layers,
        num_attention_heads=2,
        intermediate_size=2 * model_args.hidden_size,
        max_position_embeddings=32,
        num_labels=2,
    )
    trainer = Trainer(
        model=BertForSequenceClassification(config),
        args=training_args,
        train_dataset=Sentences(512, seed=1),
        eval_dataset=Sentences(128, seed=2),
        compute_metrics=compute_metrics,
    )
    trainer.train()
    trainer.save_model()


if __name__ == "__main__":
    main()
