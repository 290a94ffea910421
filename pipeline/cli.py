"""The command `hgfn`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from pipeline.ground.command import errors_in_one_line
from pipeline.ground.messages import echo

# Imports are inside the commands, because torch and pandas take seconds to load.

# No rich markup: it would take the brackets of `[n, labels]` for a style.
app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Model = Annotated[Path, typer.Argument(help="A model's folder, such as models/crisismmd.")]
Weights = Annotated[Path | None, typer.Option(help="A folder with encoders' weights by modality.")]
Text = Annotated[str | None, typer.Option(help="The text of one post.")]
Image = Annotated[str | None, typer.Option(help="Its photo, or several separated by ;.")]
Video = Annotated[str | None, typer.Option(help="Its clip.")]


@app.callback()
def hgfn() -> None:
    """Commands of the hgfn pipeline; `dvc repro` runs the pipeline itself."""


@app.command()
def doctor(
    mend: Annotated[
        bool, typer.Option("--mend", help="Only restore files that a killed DVC left incomplete.")
    ] = False,
) -> None:
    """Check the settings, dvc.lock, the outputs that it names and DVC's cache.

    Prints the cure of each fault.
    """
    from pipeline import doctor

    if mend:
        _print(doctor.mend(Path()))
        return
    with errors_in_one_line():
        faults = list(doctor.diagnose(Path()))
    for fault in faults:
        echo(f"fault: {fault}", err=True)
    echo(f"{len(faults)} faults" if faults else "nothing wrong")
    raise typer.Exit(1 if faults else 0)


@app.command()
def cache(
    prune_older_than: Annotated[
        float | None,
        typer.Option(metavar="DAYS", min=0, help="Remove entries not used for this many days."),
    ] = None,
    max_size: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Remove the least recently used entries above it."),
    ] = None,
) -> None:
    """Show or prune the cache of single samples' features (HGFN_CACHE).

    Removed entries are computed again when they are needed.
    """
    from pipeline.features.cache_report import show_or_prune

    _print(show_or_prune(prune_older_than, max_size))


@app.command()
def retry(
    kind: Annotated[
        list[str], typer.Option(help="A kind in data/<set>/failures.csv; may be repeated.")
    ],
    dry_run: Annotated[bool, typer.Option(help="Only print the commands.")] = False,
) -> None:
    """Try again the items that failed in a given way, then run the stages that depend on them.

    `download_failed` includes every kind of failed download.
    """
    from pipeline.retry import retry

    _print(retry(kind, dry_run))


@app.command()
def weights(
    pin: Annotated[
        str | None,
        typer.Option(
            metavar="ENCODER",
            help="Pin hf:<owner>/<name> or timm:<model> of the Hugging Face hub, as it is now.",
        ),
    ] = None,
    revision: Annotated[
        str | None, typer.Option(help="With --pin: a commit, branch or tag; else the newest.")
    ] = None,
) -> None:
    """List each modality's encoder and weights, and the published ones: licence, whether here.

    Files in the folder HGFN_WEIGHTS are used instead of downloads. Set features.text.weights, for
    example, to pretrained and run dvc repro to use published weights.
    """
    if pin is not None:
        from pipeline.inputs.hub import pin_lines

        _print(pin_lines(Path("sources/weights.json"), pin, revision))
        return
    from pipeline.extractors.weights_report import weights_report
    from pipeline.params import load_params

    with errors_in_one_line():
        features = load_params().features
    _print(weights_report(features))


@app.command()
def compare(
    data: Annotated[
        str,
        typer.Argument(
            help="A data set (crisismmd, youtube, your own) with its features, or an .npz "
            "with view_<name> [n, d] and Y [n, labels]."
        ),
    ],
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Number of seeds (0, 1, ...); 5 by default.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("results"),
    fusion: Annotated[
        list[str] | None, typer.Option(help="Only pairs with this fusion; may be repeated.")
    ] = None,
    mtl: Annotated[
        list[str] | None,
        typer.Option(help="Only pairs with this multi-task method; may be repeated."),
    ] = None,
    rows: Annotated[
        list[str] | None,
        typer.Option(help="Only these rows, as in ours,hgfn_dmtl,ours_visual,linear,text_linear."),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(help="event: each event in turn is the test side; else random splits."),
    ] = None,
    learning_rate: Annotated[
        list[float] | None,
        typer.Option(help="Default 0.001. May be repeated: validation then chooses in each split."),
    ] = None,
) -> None:
    """Compare networks with baselines on a data set, or on your own features.

    Without --fusion, --mtl and --rows: every fusion with LSEW and DMTL, the paper's other rows, the
    control `projected` with every method but MTI-Net, and the variants; with --fusion and --mtl:
    every pair of those chosen, and hgfn + dmtl. Beside them logistic regression on all views and
    each alone; on a data set also TF-IDF, the majority, and networks on one modality.

    Y of an .npz holds 1, 0, or -1 for unknown; a view is absent in a row with a NaN. Optional
    arrays: groups [n], never divided by a split; split [n] of train, val, test; labels [labels],
    their names. Writes comparison.md, .csv and .png; a later run with the same --out resumes.
    HGFN_WORKERS sets the number of processes.
    """
    from pipeline.evaluation.comparison import compare

    _print(compare.compare(data, seeds, out, fusion, mtl, learning_rate, rows, by))


@app.command()
def report(
    data: Annotated[str, typer.Argument(metavar="SET", help="A data set with its results.")],
    against: Annotated[
        str | None,
        typer.Option(metavar="REV", help="Also a commit, branch, tag or experiment, beside it."),
    ] = None,
) -> None:
    """Print a data set's scores with intervals beside its baselines, as Markdown.

    For a pull request; the page for people is reports/<set>.html, which `dvc repro` writes.
    """
    from pipeline.report.markdown import report_lines

    _print(report_lines(data, against))


@app.command()
def export(
    model: Model,
    out: Annotated[Path, typer.Option(metavar="FILE.onnx", help="The file to write.")],
) -> None:
    """Write a trained model's network as an ONNX file: from features to probabilities.

    Batch and lengths may be of any size, and a modality may be absent: docs/export.md. The file is
    compared with torch first. Needs `pip install -e ".[export]"`.
    """
    from pipeline.export.onnx_file import export_model

    _print(export_model(model, out))


@app.command()
def predict(
    model: Model,
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[INPUT]",
            help="A posts manifest (.csv), a folder of photos or clips, or - for JSON lines.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File of the predictions: .csv, .parquet or .jsonl.")
    ] = None,
    text: Text = None,
    image: Image = None,
    video: Video = None,
    recall: Annotated[
        float | None,
        typer.Option(help="Move the thresholds of yes-or-no tasks to this recall on validation."),
    ] = None,
    weights: Weights = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Add what explains each decision: seconds a post.")
    ] = False,
) -> None:
    """Predict posts with a trained model: decision, confidence and probabilities of each task.

    Run it again after an interruption: features are cached. Ends with 1 if nothing could be read.
    """
    from pipeline.prediction import command

    post = _given(text=text, image=image, video=video)
    _print(command.predict(model, source, out, post, recall, weights, explain))


@app.command()
def explain(
    model: Model,
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[INPUT]",
            help="A posts manifest (.csv), or a folder of photos or clips. Without it, --id is a "
            "post of the set that the model was trained on.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--id", help="The post; in a folder its file's path.")
    ] = None,
    text: Text = None,
    image: Image = None,
    video: Video = None,
    task: Annotated[str | None, typer.Option(help="Only this task's decision.")] = None,
    weights: Weights = None,
) -> None:
    """Explain the decisions on one post: what its modalities, words, frames and regions are worth.

    Each figure is printed with what it does not mean; docs/explain.md says how it is computed.
    """
    from pipeline.prediction import command

    post = _given(text=text, image=image, video=video)
    _print(command.explain(model, source, name, post, task, weights))


@app.command()
def serve(
    model: Model,
    host: Annotated[
        str | None,
        typer.Option(help="Address to listen on; without it 127.0.0.1, for this machine alone."),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    weights: Weights = None,
) -> None:
    """Serve a trained model as a page and an HTTP interface: docs/serve.md.

    Nothing that is sent is kept. Needs `pip install -e ".[serve]"`.
    """
    from pipeline.serving import command

    _print(command.serve(model, host, port, weights))


def _given(**post: str | None) -> dict[str, str]:
    return {key: value for key, value in post.items() if value is not None}


def _print(lines: Iterable[str]) -> None:
    with errors_in_one_line():
        for line in lines:
            echo(line)
