const dialog = document.getElementById("class"), content = document.getElementById("class-content");
const rarestFirst = numbers.classes.map((_, at) => at).sort((a, b) => numbers.classes[a][2] - numbers.classes[b][2] || numbers.classes[a][3] - numbers.classes[b][3] || a - b);
let shownClass = 0;
const made = (name, text, attributes = {}) => {
  const element = Object.assign(document.createElement(name), attributes);
  if (text !== undefined) element.textContent = text;
  return element;
};
const share = value => value === null || value === undefined ? "–" : (value / 10).toFixed(1);

// The scores of a class, one row for each run.
function scoresOf(index) {
  const table = made("table", undefined, { className: "numbers plain" }), heads = table.createTHead().insertRow(), body = table.createTBody();
  ["run", "AP", "AP50", "claims", "g", "q", "r"].forEach(name => heads.append(made("th", name, { scope: "col" })));
  for (const run of numbers.runs) {
    const row = body.insertRow(), score = run.scores[index], weight = run.weights[index];
    const ratio = run.ratios.length ? run.ratios[run.ratios.length - 1][index] : null;
    const head = made("th", undefined, { scope: "row" });
    head.append(lineOf(run), run.label);
    row.append(head);
    const cells = score ? [share(score[0]), share(score[1]), score[2] ? thousands(score[2]) : "never"] : ["–", "–", "–"];
    [...cells, places(ratio), ...(weight ? weight.map(places) : ["–", "–"])].forEach(text => row.append(made("td", text)));
  }
  const wide = made("div", undefined, { className: "wide" });
  wide.append(table);
  return wide;
}

// The ratio of a class through training, one line for each run.
function courseOf(index) {
  const runs = numbers.runs.filter(run => run.steps.length > 1), last = Math.max(0, ...runs.flatMap(run => run.steps));
  if (!last) return "";
  const [w, h, left, below, above] = [Math.min(640, innerWidth - 70), 170, 40, 26, 10], values = runs.flatMap(run => run.ratios.map(row => row[index])).filter(ratio => ratio !== null);
  const top = Math.min(Math.max(1.2, ...values.map(ratio => ratio / 1000 * 1.08)), 2);
  const x = step => left + step / last * (w - left - 12), y = ratio => h - below - Math.min(ratio / 1000, top) / top * (h - below - above);
  const told = runs.map(run => `${run.label} from ${places(run.ratios[0][index])} to ${places(run.ratios[run.ratios.length - 1][index])}`).join(", ");
  const svg = shape("svg", { viewBox: `0 0 ${w} ${h}`, role: "img", "aria-label": `Gradient ratio in the course of training: ${told}` });
  for (const tick of [0, 0.5, 1, 1.5, 2].filter(tick => tick <= top)) {
    svg.append(shape("line", { x1: left, x2: w - 12, y1: y(tick * 1000), y2: y(tick * 1000), class: tick === 1 ? "one" : "grid" }));
    svg.append(shape("text", { x: left - 7, y: y(tick * 1000) + 4, "text-anchor": "end", class: "tick" }, tick.toFixed(1)));
  }
  svg.append(shape("text", { x: left, y: h - 6, class: "tick" }, "gradient ratio g against step"), shape("text", { x: w - 12, y: h - 6, "text-anchor": "end", class: "tick" }, thousands(last)));
  for (const run of runs) {
    let path = "";
    run.steps.forEach((step, at) => {
      const ratio = run.ratios[at][index];
      if (ratio !== null) path += `${path ? "L" : "M"}${x(step).toFixed(1)} ${y(ratio).toFixed(1)}`;
    });
    if (path) svg.append(shape("path", { d: path, ...stroke(run, 2.4, null) }));
  }
  return svg;
}

// Copies of the cards whose picture shows the class; what they say of another class is left out.
function picturesOf(index) {
  const waiting = document.getElementById("waiting"), word = `[data-shows~="${index}"]`;
  const cards = [...document.querySelectorAll(`#gallery .card${word}`), ...(waiting ? waiting.content.querySelectorAll(`.card${word}`) : [])];
  return cards.slice(0, 6).map(card => {
    const copy = card.cloneNode(true);
    copy.querySelector("h3").remove();
    if (Number(card.dataset.about) !== index) copy.querySelectorAll("figcaption span").forEach(verdict => verdict.remove());
    return copy;
  });
}

function openClass(index) {
  const [name, group] = numbers.classes[index];
  shownClass = rarestFirst.indexOf(index);
  const title = made("h2", name + " ", { id: "class-name" });
  title.append(made("span", GROUPS[group], { className: `chip ${GROUPS[group]}` }));
  const pictures = picturesOf(index);
  const none = made("p", "No picture on this page shows this class: none of the validation set does, or the page would be too large with it.", { className: "aside" });
  content.replaceChildren(title, made("p", countsOf(numbers.classes[index])), scoresOf(index), courseOf(index), ...(pictures.length ? pictures : [none]));
  document.getElementById("class-before").disabled = shownClass === 0;
  document.getElementById("class-after").disabled = shownClass === rarestFirst.length - 1;
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

const go = by => { const next = rarestFirst[shownClass + by]; if (next !== undefined) openClass(next); };
document.getElementById("class-before").addEventListener("click", () => go(-1));
document.getElementById("class-after").addEventListener("click", () => go(1));
document.getElementById("class-close").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => content.replaceChildren());
// A click on the backdrop is one on the dialog itself, outside of its box.
dialog.addEventListener("click", event => { if (event.target === dialog) dialog.close(); });
dialog.addEventListener("keydown", event => { if (event.key === "ArrowLeft") go(-1); else if (event.key === "ArrowRight") go(1); });
document.addEventListener("click", event => {
  const of = event.target.closest("[data-class]");
  if (of) openClass(Number(of.dataset.class));
});
const moving = document.getElementById("moving");
if (moving) movingRatio(moving, openClass);
