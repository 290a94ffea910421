(() => {
  "use strict";
  // Only a table that scrolls needs a stop of the tabulator.
  const settle = () => {
    for (const region of document.querySelectorAll(".scroll"))
      region.tabIndex = region.scrollWidth > region.clientWidth ? 0 : -1;
  };
  addEventListener("resize", settle);
  settle();

  const list = document.getElementById("cards");
  if (!list) return;
  const SIZE = 12;
  const cards = [...list.children];
  const control = (name) => document.getElementById(name);
  const names = ["find", "task", "outcome", "event", "order"];
  const controls = names.map(control);
  const number = (card, key) => Number(card.dataset[key]);
  const orders = {
    mistake: (a, b) => number(b, "mistake") - number(a, "mistake"),
    least: (a, b) => number(a, "least") - number(b, "least"),
    place: () => 0,
  };
  const holds = (card, key, task) => {
    const tasks = card.dataset[key].split(" ").filter(Boolean);
    return task === "" ? tasks.length > 0 : tasks.includes(task);
  };
  const passes = (card, [find, task, outcome, event]) =>
    (find === "" || card.textContent.toLowerCase().includes(find.toLowerCase())) &&
    (event === "" || card.dataset.event === event) &&
    (outcome === "" ? task === "" || holds(card, "known", task)
      : outcome === "right" ? holds(card, "known", task) && !holds(card, "wrong", task)
      : outcome === "unsure" ? card.dataset.unsure !== "" && (task === "" || holds(card, "known", task))
      : holds(card, outcome, task));
  let first = 0;
  const update = () => {
    const values = controls.map((element) => (element ? element.value : ""));
    const sorted = [...cards].sort((a, b) =>
      orders[values[4]](a, b) || number(a, "place") - number(b, "place"));
    const passing = sorted.filter((card) => passes(card, values));
    first = Math.max(0, Math.min(first, Math.floor((passing.length - 1) / SIZE) * SIZE));
    const shown = new Set(passing.slice(first, first + SIZE));
    for (const card of sorted) {
      card.hidden = !shown.has(card);
      list.append(card);
    }
    control("previous").disabled = first === 0;
    control("next").disabled = first + SIZE >= passing.length;
    control("shown").textContent = passing.length === 0 ? `none of ${cards.length} samples`
      : `${first + 1} to ${first + shown.size} of ${passing.length} samples`;
    return passing;
  };
  const start = () => { first = 0; update(); };
  const turn = (by) => { first += by; update(); };
  // A link to a card that is not shown turns to its page.
  const follow = () => {
    const card = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!cards.includes(card)) return;
    if (card.hidden) {
      for (const element of controls.slice(0, 4)) if (element) element.value = "";
      first = Math.floor(update().indexOf(card) / SIZE) * SIZE;
      update();
    }
    card.scrollIntoView();
    card.focus();
  };
  for (const element of controls) if (element) element.addEventListener("input", start);
  control("previous").addEventListener("click", () => turn(-SIZE));
  control("next").addEventListener("click", () => turn(SIZE));
  addEventListener("hashchange", follow);
  control("controls").hidden = control("pager").hidden = false;
  update();
  follow();
})();
