"use strict";

// What the server says is shown as text alone: names and texts are strangers'.

const SENSES = { visual: "picture", text: "text", audio: "sound" };
const FAILURES = {
  missing_file: "the file did not arrive",
  not_an_image: "the file is no photo that can be read, or the model looks at no clips",
  truncated: "the file is cut off",
  too_large: "the picture is too large",
  no_video_stream: "the file has no picture",
  no_audio_stream: "the clip has no sound",
  no_frames: "the clip has no frame that can be read",
  decode_failed: "the file cannot be read",
  decoder_crashed: "the file crashes its reader",
  empty_text: "no text",
  long_text: "the text is long: only its beginning counts",
  not_finite: "its features are no numbers",
};
const $ = (id) => document.getElementById(id);
const WORDS = 6; // that are shown
let files = [];
let facts = { bytes: 0, tasks: [], modalities: [], untrained: [] };
let running = 0;
let answered = []; // the files of the answer that is shown

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

const words = (name) => name.replaceAll("_", " ");
const percent = (value) => `${(100 * value).toFixed(1)} %`;
const signed = (value) => `${value < 0 ? "\u2212" : "+"}${(100 * Math.abs(value)).toFixed(1)}`;
const sense = (name) => SENSES[name] || name;

function tell(message) {
  $("error").textContent = message;
  $("error").hidden = !message;
}

function showFiles() {
  for (const media of $("chosen").querySelectorAll("img, video")) URL.revokeObjectURL(media.src);
  $("chosen").replaceChildren(...files.map(chosen));
}

function chosen(file) {
  const item = element("li");
  const clip = file.type.startsWith("video/");
  if (clip || file.type.startsWith("image/")) {
    const media = element(clip ? "video" : "img");
    media.src = URL.createObjectURL(file);
    if (clip) media.muted = true;
    else media.alt = `Preview of ${file.name}`;
    media.addEventListener("error", () => media.remove());
    item.append(media);
  }
  const remove = element("button", "plain", "Remove");
  remove.type = "button";
  remove.setAttribute("aria-label", `Remove ${file.name}`);
  remove.addEventListener("click", () => {
    files = files.filter((other) => other !== file);
    showFiles();
    $("files").focus();
  });
  item.append(element("span", "name", file.name), remove);
  return item;
}

function add(list) {
  files = [...files, ...list];
  $("files").value = "";
  tell("");
  showFiles();
}

const photo = (file) =>
  file.type.startsWith("image/") || /\.(hei[cf]|avif|tiff?|bmp|jfif)$/i.test(file.name);

function form() {
  const body = new FormData();
  if ($("text").value.trim()) body.append("text", $("text").value);
  for (const file of files) body.append(photo(file) ? "image" : "video", file, file.name);
  return body;
}

function wrong() {
  if (!files.length && !$("text").value.trim()) return "Type a text, or choose a photo or a clip.";
  if (files.filter((file) => !photo(file)).length > 1) return "Choose one clip at most.";
  if (new Set(files.map(photo)).size > 1) return "Choose photos or a clip, not both.";
  const size = files.reduce((sum, file) => sum + file.size, 0);
  if (facts.bytes && size > facts.bytes)
    return `The files have ${(size / 1e6).toFixed(0)} MB; the server takes ${facts.bytes / 1e6} MB.`;
  return "";
}

async function ask(explain) {
  const problem = wrong();
  tell(problem);
  if (problem) return;
  const number = ++running;
  const sent = files;
  busy(true, explain ? "Explaining ..." : "Looking ...");
  try {
    const answer = await post(explain);
    if (number !== running) return;
    answered = sent;
    show(answer);
    $("status").textContent = explain ? "Explained." : "Done.";
    if (!explain) $("result").focus();
  } catch (error) {
    if (number !== running) return;
    $("status").textContent = "";
    tell(error instanceof TypeError ? "The server does not answer." : error.message);
  } finally {
    if (number === running) busy(false);
  }
}

async function post(explain) {
  const response = await fetch(explain ? "predict?explain=1" : "predict", { method: "POST", body: form() });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(`${answer.error || "The server failed"} (${response.status})`);
  return answer;
}

function busy(active, message) {
  for (const id of ["predict", "explain"]) $(id).disabled = active;
  if (message) $("status").textContent = message;
}

function show(answer) {
  $("result").hidden = false;
  const nothing = !Object.values(answer.modalities).some((modality) => modality.present);
  $("unsure").hidden = !answer.unsure;
  $("unsure").textContent = nothing
    ? "There was nothing to look at: these numbers say nothing about the post."
    : "Unsure: at least one confidence is below the model's limit.";
  $("tasks").replaceChildren(...Object.entries(answer.tasks).map(([name, task]) => tile(name, task)));
  $("modalities").replaceChildren(...Object.entries(answer.modalities).map(modality));
  $("explain").hidden = nothing;
  $("explanation").replaceChildren(...explanation(answer));
  $("neighbours").replaceChildren(...answer.neighbours.map(neighbour));
  $("no-neighbours").hidden = answer.neighbours.length > 0;
  $("no-neighbours").textContent = nothing
    ? "Nothing to compare."
    : `None: ${facts.no_training_samples || "there are none"}.`;
}

function tile(name, task) {
  const box = element("div", "tile");
  const heading = element("h4", "task", words(name));
  const ranked = Object.entries(task.probabilities).sort((a, b) => b[1] - a[1]);
  box.append(
    heading,
    element("p", "decision", words(task.decision)),
    element("p", "sure", `confidence ${percent(task.confidence)}`),
    bars(ranked.map(([label, value]) => [words(label), value, percent(value), label === task.decision])),
  );
  return box;
}

function bars(rows) {
  const list = element("ul", "bars");
  for (const [label, value, text, decided] of rows) {
    const fill = element("span", "fill");
    fill.style.left = "0";
    fill.style.width = `${100 * value}%`;
    list.append(bar(label, text, [fill], decided));
  }
  return list;
}

function bar(label, text, parts, decided) {
  const item = element("li");
  const track = element("span", "track");
  track.setAttribute("aria-hidden", "true");
  track.append(...parts);
  item.append(element("span", decided ? "decided" : "", label), element("span", "value", text), track);
  return item;
}

/** Bars to both sides of a middle: what adds to the decision, and what speaks against it. */
function balance(rows) {
  const most = Math.max(0.01, ...rows.map(([, value]) => Math.abs(value)));
  const list = element("ul", "bars");
  for (const [label, value] of rows) {
    const fill = element("span", value < 0 ? "fill against" : "fill");
    const width = (50 * Math.abs(value)) / most;
    fill.style.left = `${value < 0 ? 50 - width : 50}%`;
    fill.style.width = `${width}%`;
    list.append(bar(label, signed(value), [fill, element("span", "middle")], false));
  }
  return list;
}

function modality([name, state]) {
  const item = element("li");
  const kinds = (state.failure || "").split("; ").filter(Boolean);
  const why = kinds.map((kind) => FAILURES[kind] || words(kind)).join("; ");
  const used = state.present ? (why ? "used in part" : "used") : "not used";
  item.append(element("b", "", `${sense(name)}: `), `${used}${why ? `; ${why}` : ""}`);
  return item;
}

function explanation(answer) {
  if (!answer.explanation) return [];
  const note = element(
    "p",
    "soft",
    "Percentage points that each part adds to the probability of the decision, or takes from it. " +
      "For picture and text as a whole these are Shapley values, relative to no post at all; for a word " +
      "or a region of a photo, the fall of the probability without it. Blue speaks for the decision, red against it. What repeats seems to matter little.",
  );
  const tiles = element("div", "tiles");
  for (const [name, parts] of Object.entries(answer.explanation)) {
    const box = element("div", "tile");
    box.append(element("h4", "task", words(name)));
    box.append(element("p", "decision", words(answer.tasks[name].decision)));
    const start = `${percent(parts.probability)}, of which ${percent(parts.nothing)} without any post`;
    box.append(element("p", "sure", start));
    box.append(balance(Object.entries(parts.shapley).map(([key, value]) => [sense(key), value])));
    const strongest = [...parts.words].sort((a, b) => Math.abs(b[1]) - Math.abs(a[1])).slice(0, WORDS);
    if (strongest.length) box.append(element("h5", "", "Words"), balance(strongest));
    // A photo that could not be read has no grid, and the others could be taken for it.
    const grids = parts.regions.length === answered.filter(photo).length ? parts.regions : [];
    grids.forEach((grid, number) => box.append(...heatMap(grid, number, name)));
    tiles.append(box);
  }
  return [note, tiles];
}

/** A photo below a grid: the regions whose removal changes the decision's probability most. */
function heatMap(grid, number, task) {
  const file = answered.filter(photo)[number];
  const shown = $("chosen").querySelectorAll("li")[files.indexOf(file)]?.querySelector("img");
  if (!shown) return []; // removed meanwhile, or of a format that browsers do not show
  const flat = grid.flatMap((row, y) => row.map((drop, x) => ({ drop, x, y })));
  const most = Math.max(0.005, ...flat.map(({ drop }) => Math.abs(drop)));
  const best = flat.reduce((a, b) => (Math.abs(b.drop) > Math.abs(a.drop) ? b : a));
  const box = element("div", "heat");
  const picture = element("img");
  picture.src = shown.src;
  picture.alt =
    `${file.name}: the region in row ${best.y + 1}, column ${best.x + 1} of ${grid.length} ` +
    `changes ${words(task)} most, by ${signed(best.drop)}`;
  const cells = element("div", "cells");
  cells.setAttribute("aria-hidden", "true");
  cells.style.gridTemplateColumns = `repeat(${grid.length}, 1fr)`;
  for (const { drop } of flat) {
    const cell = element("span", drop < 0 ? "against" : "");
    cell.style.opacity = (0.75 * Math.abs(drop)) / most;
    cells.append(cell);
  }
  box.append(picture, cells);
  return [element("h5", "", `Regions of ${file.name}`), box];
}

function neighbour(sample) {
  const item = element("li");
  const labels = Object.entries(sample.labels)
    .filter(([, label]) => label !== null)
    .map(([task, label]) => `${words(task)}: ${words(label)}`);
  item.append(
    element("p", "", sample.text || "(no text)"),
    element("p", "labels", labels.join("; ") || "no label"),
    element("p", "soft", `${sample.id}, cosine ${sample.cosine.toFixed(3)}`),
  );
  return item;
}

async function introduce() {
  try {
    const response = await fetch("healthz");
    facts = { ...facts, ...(await response.json()) };
  } catch {
    tell("The server does not answer.");
    return;
  }
  $("model").textContent = facts.model;
  document.title = `${facts.model}: hgfn`;
  const tasks = facts.tasks.map((task) => words(task.name)).join(", ");
  $("about").textContent = `It decides ${tasks} from ${facts.modalities.map(sense).join(", ")}.`;
  $("untrained").hidden = !facts.untrained.length;
  $("untrained").textContent =
    `Its encoders of ${facts.untrained.map(sense).join(", ")} are untrained: ` +
    "the page works, but no decision is about the world.";
}

$("files").addEventListener("change", () => add($("files").files));
$("post").addEventListener("submit", (event) => {
  event.preventDefault();
  ask(false);
});
$("post").addEventListener("reset", () => {
  files = [];
  running += 1;
  busy(false);
  tell("");
  $("status").textContent = "";
  $("result").hidden = true;
  showFiles();
  $("text").focus();
});
$("explain").addEventListener("click", () => ask(true));
for (const name of ["dragenter", "dragover"])
  document.addEventListener(name, (event) => {
    event.preventDefault();
    document.body.classList.add("dragging");
  });
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dragging");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dragging");
  if (event.dataTransfer.files.length) add(event.dataTransfer.files);
});
introduce();
