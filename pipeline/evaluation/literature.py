"""Numbers published for the official splits, to stand beside ours.

They are accuracies of Ofli, Alam and Imran, "Analysis of Social Media Data using Multimodal Deep
Learning for Disaster Response" (ISCRAM 2020), as later work quotes them; docs/protocols.md says
what is comparable. Damage was left out there, because its label is the image's alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.evaluation.scores import Scores

SOURCE = "Ofli, Alam and Imran 2020"
# Accuracy by split and by what the model saw.
PUBLISHED = {
    "official_informative": {"text and image": 0.844, "image alone": 0.833},
    "official_humanitarian": {"text and image": 0.784, "image alone": 0.768},
    "official_damage": {},
}


def beside_published(split: str, scores: Mapping[str, Scores]) -> str:
    """Tell our accuracy and the published ones in one line; empty for a split without a protocol.

    `scores` are the test scores by task; of several (one a class) there is nothing to compare.
    """
    tasks = [values for name, values in scores.items() if name != "mean"]
    if split not in PUBLISHED or len(tasks) != 1 or "accuracy" not in tasks[0]:
        return ""
    known = ", ".join(f"{model} {value:.3f}" for model, value in PUBLISHED[split].items())
    told = f"{known} ({SOURCE})" if known else "nothing"
    return f"{split}: accuracy {tasks[0]['accuracy']:.3f}; published: {told}"
