"""The rows of a comparison: networks, variants with other settings, and baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from pipeline.models.fusion import FUSIONS
from pipeline.mtl import METHODS

Changes = Mapping[str, str | int | float | bool]

_WEIGHTS = "fusion.options.vertex_weights"
_OURS: Changes = {"train.members": 5, "train.monitor": "map", "train.input_dropout": 0.3}
_TITLES = {
    "mtinet": "MTI-NET",
    "gradnorm": "GradNorm",
    "pcgrad": "PCGrad",
    "cagrad": "CAGrad",
    "projected": "projected",
    "focal": "focal",
    "single": "single",
}
# Baselines that read no features, and their names in reports.
BASELINES = {"text_linear": "TF-IDF + logistic regression", "majority": "majority class"}


@dataclass(frozen=True)
class Row:
    """A network (fusion and method), or without these a baseline; on one view, or on all.

    The baseline is logistic regression, unless `baseline` names another. A variant also has a name
    and a title of its own, and `changes`: the settings in which it differs from all other networks,
    by their keys in params.yaml (mtl.options.rebalance).
    """

    fusion: str = ""
    mtl: str = ""
    view: str = ""
    variant: str = ""
    variant_title: str = ""
    changes: Changes = field(default_factory=dict, hash=False)
    baseline: str = ""

    @property
    def name(self) -> str:
        """The name in files: hgfn_dmtl, a variant's, a baseline's, linear; of one view _<view>."""
        network = self.variant or f"{self.fusion}_{self.mtl}"
        name = network if self.fusion else self.baseline or "linear"
        return f"{name}_{self.view}" if self.view else name

    @property
    def title(self) -> str:
        """The name in reports, as the paper writes it: HGFN + DMTL."""
        if self.fusion:
            title = self.variant_title or f"{title_of(self.fusion)} + {title_of(self.mtl)}"
            return f"{title}, {self.view} alone" if self.view else title
        return BASELINES.get(self.baseline, f"logistic regression, {self.view or 'all views'}")


def title_of(name: str) -> str:
    """Return the name of a fusion or a method in reports."""
    return _TITLES.get(name, name.upper())


def _variant(fusion: str, mtl: str, suffix: str, words: str, changes: Changes) -> Row:
    row = Row(fusion, mtl)
    name, title = f"{row.name}_{suffix}", f"{row.title} ({words})"
    return replace(row, variant=name, variant_title=title, changes=changes)


def _ours(fusion: str, suffix: str, words: str, changes: Changes) -> Row:
    name, title = f"ours{suffix}", f"ours{words}"
    return Row(fusion, "lsew", variant=name, variant_title=title, changes={**_OURS, **changes})


VARIANTS = {
    row.name: row
    for row in (
        # DMTL without one of its parts, or with the other reading of its cycle.
        _variant("hgfn", "dmtl", "no_reset", "no reset", {"mtl.options.rebalance": "none"}),
        _variant("hgfn", "dmtl", "no_eq11", "no eq. 11", {"mtl.options.balance": "none"}),
        _variant("hgfn", "dmtl", "run", "a run a cycle", {"mtl.options.cycle": "run"}),
        # HGFN's vertex weights replaced: what the score owes to them.
        _variant("hgfn", "dmtl", "uniform_weights", "equal vertex weights", {_WEIGHTS: "uniform"}),
        _variant("hgfn", "lsew", "uniform_weights", "equal vertex weights", {_WEIGHTS: "uniform"}),
        _variant("hgfn", "lsew", "mean_weights", "mean vertex weights", {_WEIGHTS: "mean"}),
        # The row of ours, and what each of its parts gains: docs/ours.md.
        _ours("projected", "", "", {}),
        _ours("projected", "_one_member", ", one member", {"train.members": 1}),
        _ours("projected", "_by_loss", ", selected by loss", {"train.monitor": "loss"}),
        _ours("projected", "_all_inputs", ", no input dropout", {"train.input_dropout": 0.0}),
        _ours("cfc", "_cfc", ", CFC for projected", {}),
        _ours("hgfn", "_hgfn", ", HGFN for projected", {}),
    )
}


def row_named(name: str) -> Row:
    """Return the row <fusion>_<method>, or the variant of that name.

    Raises ValueError with a list of all names for an unknown one.
    """
    if name in VARIANTS:
        return VARIANTS[name]
    fusion, _, method = name.partition("_")
    if fusion not in FUSIONS or method not in METHODS:
        raise ValueError(
            f"<fusion>_<method> with one of {', '.join(FUSIONS)} and one of {', '.join(METHODS)}; "
            f"or a variant: {', '.join(VARIANTS)}"
        )
    return Row(fusion, method)


def compared_row(name: str, views: Sequence[str], texts: bool) -> Row:
    """Return a network, a variant or a baseline; `<row>_<view>` is one of a single view.

    Raises ValueError with a list of all names for an unknown one, and for a baseline of data sets
    if there are no texts.
    """
    baselines = {row.name: row for row in baseline_rows(views, texts)}
    if name in baselines:
        return baselines[name]
    try:
        return row_named(name)
    except ValueError as error:
        for view in views:
            with suppress(ValueError):
                if name.endswith(f"_{view}"):
                    return replace(row_named(name.removesuffix(f"_{view}")), view=view)
        why = ", a row of data sets alone" if name in BASELINES else ""
        raise ValueError(
            f"--rows has {name!r}{why}; allowed: {', '.join(baselines)}; {error}; a network also "
            f"on one view, as in ours_{views[0]}"
        ) from None


def baseline_rows(views: Sequence[str], texts: bool) -> list[Row]:
    """List logistic regression on all views and on each, and with texts the other baselines."""
    single = [Row(view=view) for view in views] if len(views) > 1 else []
    return [Row(), *single, *(Row(baseline=name) for name in BASELINES if texts)]


def network_rows(fusions: Sequence[str] = (), methods: Sequence[str] = ()) -> list[Row]:
    """List every pair of these fusions (none: all) and methods (none: all).

    Without either: every fusion with LSEW and DMTL, the paper's other rows, HGFN with MOO,
    `projected` with every method but the slow MTI-Net, and the variants.
    """
    if fusions or methods:
        return [Row(fusion, mtl) for fusion in fusions or FUSIONS for mtl in methods or METHODS]
    pairs = [(fusion, mtl) for fusion in FUSIONS for mtl in ("lsew", "dmtl")]
    pairs += [("cfc", "moo"), ("cfc", "mtinet"), ("hgfn", "moo")]
    pairs += [("projected", mtl) for mtl in METHODS if mtl != "mtinet"]
    return [*dict.fromkeys(Row(*pair) for pair in pairs), *VARIANTS.values()]
