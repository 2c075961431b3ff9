// A page about a data set alone has no runs to draw.
const numbers = JSON.parse(document.getElementById("numbers")?.textContent ?? '{"classes":[],"runs":[]}');
const GROUPS = ["rare", "common", "frequent"];
const BANDS = [["rare", "#e8dff0"], ["common", "#f0ebf4"], ["frequent", "#f8f7fa"]];
const thousands = number => number.toLocaleString("en");
const counted = (number, one, many) => `${thousands(number)} ${number === 1 ? one : many}`;
const countsOf = ([, , images, instances]) => `${counted(instances, "training object", "training objects")} in ${counted(images, "picture", "pictures")}`;
const places = ratio => ratio === null ? "–" : ratio >= 1e6 ? "above 1,000" : (ratio / 1000).toFixed(2);
const shape = (name, attributes, text) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
};
const stroke = (run, width, opacity) =>
  ({ fill: "none", stroke: run.colour, class: `s-${run.ink}`, "stroke-width": width, "stroke-opacity": opacity, "stroke-dasharray": run.dash, "stroke-linejoin": "round" });

// A piece of a run's line.
function lineOf(run) {
  const line = shape("svg", { width: 34, height: 12, class: "line", "aria-hidden": "true" });
  line.append(shape("line", { x1: 1, x2: 33, y1: 6, y2: 6, ...stroke(run, 2.6, null) }));
  return line;
}

// A Gaussian filter with mirrored ends, as in the figures: five positions of 1,203.
function smooth(values) {
  const sigma = Math.max(5 * values.length / 1203, 1), radius = Math.floor(4 * sigma + 0.5), length = values.length;
  const kernel = Array.from({ length: 2 * radius + 1 }, (_, k) => Math.exp(-0.5 * ((k - radius) / sigma) ** 2));
  const total = kernel.reduce((sum, weight) => sum + weight, 0);
  const mirrored = at => { at = ((at % (2 * length)) + 2 * length) % (2 * length); return at < length ? at : 2 * length - 1 - at; };
  return values.map((_, at) => kernel.reduce((sum, weight, k) => sum + weight * values[mirrored(at + k - radius)], 0) / total);
}

// The last snapshot of a run that is not later than a step.
function snapshotAt(run, step) {
  let at = -1;
  while (at + 1 < run.steps.length && run.steps[at + 1] <= step) at++;
  return at;
}

function movingRatio(root, open) {
  const runs = numbers.runs.filter(run => run.steps.length > 0);
  const order = numbers.classes.map((_, at) => at).sort((a, b) => numbers.classes[b][3] - numbers.classes[a][3] || a - b);
  if (!runs.length || !order.length) return;
  document.documentElement.classList.add("moves");
  const steps = [...new Set(runs.flatMap(run => run.steps))].sort((a, b) => a - b);
  const every = runs.flatMap(run => run.ratios.flat()).filter(ratio => ratio !== null).map(ratio => ratio / 1000).sort((a, b) => a - b);
  const top = Math.ceil(Math.min(Math.max((every[Math.floor(every.length * 0.97)] ?? 1) * 1.08, 1.2), 2) * 5) / 5;
  root.innerHTML = `<div class="controls"><label for="moment">Training step</label><input type="range" id="moment" min="0" max="${steps.length - 1}" step="1" value="${steps.length - 1}">` +
    `<output for="moment" id="moment-step"></output><span class="legend"></span></div>` +
    `<div class="plot" id="plot" tabindex="0" role="slider" aria-label="Class, most training objects first" aria-valuemin="1" aria-valuemax="${order.length}" aria-valuenow="1"></div>` +
    `<p class="readout" id="readout"></p>`;
  const slider = root.querySelector("#moment"), plot = root.querySelector("#plot"), readout = root.querySelector("#readout");
  const legend = root.querySelector(".legend");
  for (const run of runs) {
    const key = document.createElement("span");
    key.append(lineOf(run), run.label, " ", Object.assign(document.createElement("small"), { className: "median" }));
    legend.append(key);
  }
  let width = 0, chosen = 0, marked = false, moving = null, cross = null, dots = [];
  const left = 46, right = 12, above = 24, below = 44;
  const height = () => width < 600 ? 300 : 400;
  const x = rank => left + (rank + 0.5) / order.length * (width - left - right);
  const y = ratio => height() - below - Math.min(Math.max(ratio, 0), top) / top * (height() - above - below);
  const step = () => steps[slider.value];
  const ratioOf = (run, index) => { const at = snapshotAt(run, step()); return at < 0 ? null : run.ratios[at][index]; };

  // Everything that stays when the step moves.
  function frame() {
    const svg = shape("svg", { width, height: height(), viewBox: `0 0 ${width} ${height()}`, "aria-hidden": "true" });
    order.forEach((index, rank) => {
      const group = numbers.classes[index][1];
      if (rank && numbers.classes[order[rank - 1]][1] === group) return;
      let end = rank;
      while (end < order.length && numbers.classes[order[end]][1] === group) end++;
      const [from, to] = [x(rank - 0.5), x(end - 0.5)];
      svg.append(shape("rect", { x: from, y: above, width: to - from, height: height() - above - below, fill: BANDS[group][1], class: `f-${BANDS[group][0]}` }));
      if (to - from > 70) svg.append(shape("text", { x: (from + to) / 2, y: above - 8, "text-anchor": "middle", class: "tick strong" }, GROUPS[group]));
    });
    for (let tick = 0; tick <= top + 1e-9; tick += top > 1.6 ? 0.5 : 0.2) {
      svg.append(shape("line", { x1: left, x2: width - right, y1: y(tick), y2: y(tick), class: Math.abs(tick - 1) < 1e-9 ? "one" : "grid" }));
      svg.append(shape("text", { x: left - 7, y: y(tick) + 4, "text-anchor": "end", class: "tick" }, tick.toFixed(1)));
    }
    const count = Math.max(2, Math.floor(width / 140));
    for (let i = 0; i <= count; i++) {
      const rank = Math.round(i * (order.length - 1) / count), anchor = i === count ? "end" : i ? "middle" : "start";
      svg.append(shape("text", { x: x(rank), y: height() - below + 17, "text-anchor": anchor, class: "tick" }, thousands(numbers.classes[order[rank]][3])));
    }
    svg.append(shape("text", { x: (left + width - right) / 2, y: height() - 6, "text-anchor": "middle", class: "tick strong" }, "classes by training objects"));
    svg.append(shape("text", { x: 2, y: above - 8, class: "tick strong" }, "ratio g"));
    moving = shape("g", {});
    cross = shape("line", { class: "cross", y1: above, y2: height() - below, visibility: "hidden" });
    dots = runs.map(run => shape("circle", { r: 4.5, fill: run.colour, class: `f-${run.ink}`, visibility: "hidden" }));
    svg.append(moving, cross, ...dots);
    plot.replaceChildren(svg);
  }

  function curves() {
    const place = `step ${thousands(step())}`;
    root.querySelector("#moment-step").value = place;
    slider.setAttribute("aria-valuetext", place);
    mark();
    // Not on the screen yet.
    if (!moving) return;
    moving.replaceChildren();
    const path = values => values.map((value, rank) => `${rank ? "L" : "M"}${x(rank).toFixed(1)} ${y(value).toFixed(1)}`).join("");
    runs.forEach((run, at) => {
      const known = order.map(index => ratioOf(run, index)), values = known.map(ratio => Math.min((ratio ?? 0) / 1000, top));
      const small = legend.children[at].querySelector("small");
      const rare = order.filter(index => numbers.classes[index][1] === 0).map(index => ratioOf(run, index)).filter(ratio => ratio !== null).sort((a, b) => a - b);
      const half = rare.length >> 1;
      small.textContent = rare.length ? `median g of rare classes ${places(rare.length % 2 ? rare[half] : (rare[half - 1] + rare[half]) / 2)}` : "";
      if (known.every(ratio => ratio === null)) return;
      moving.append(shape("path", { d: path(values), ...stroke(run, 1, 0.35) }), shape("path", { d: path(smooth(values)), ...stroke(run, 2.4, null) }));
    });
  }

  function mark() {
    const index = order[chosen], [name, group] = numbers.classes[index], counts = countsOf(numbers.classes[index]);
    const told = runs.map(run => `${run.label} ${places(ratioOf(run, index))}`).join(", ");
    plot.setAttribute("aria-valuenow", chosen + 1);
    plot.setAttribute("aria-valuetext", `${name}, ${GROUPS[group]}, ${counts}: ${told}`);
    readout.replaceChildren();
    if (!marked) {
      readout.append("Point at a class, or use the arrow keys; a click or Enter shows its pictures.");
      return;
    }
    readout.append(Object.assign(document.createElement("b"), { textContent: name }), ` ${GROUPS[group]}, ${counts} · g: ${told}`);
    if (!cross) return;
    cross.setAttribute("visibility", "visible");
    cross.setAttribute("x1", x(chosen));
    cross.setAttribute("x2", x(chosen));
    runs.forEach((run, at) => {
      const ratio = ratioOf(run, index);
      dots[at].setAttribute("visibility", ratio === null ? "hidden" : "visible");
      dots[at].setAttribute("cx", x(chosen));
      dots[at].setAttribute("cy", y((ratio ?? 0) / 1000));
    });
  }

  const choose = rank => { chosen = Math.min(Math.max(rank, 0), order.length - 1); marked = true; mark(); };
  const under = event => Math.floor((event.clientX - plot.getBoundingClientRect().left - left) / (width - left - right) * order.length);
  plot.addEventListener("pointermove", event => choose(under(event)));
  plot.addEventListener("click", event => { choose(under(event)); open(order[chosen]); });
  plot.addEventListener("focus", () => { if (plot.matches(":focus-visible")) choose(chosen); });
  plot.addEventListener("keydown", event => {
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10, Home: -Infinity, End: Infinity }[event.key];
    if (event.key === "Enter" || event.key === " ") open(order[chosen]);
    else if (by !== undefined) choose(chosen + by);
    else return;
    event.preventDefault();
  });
  slider.addEventListener("input", curves);
  curves();
  new ResizeObserver(() => {
    if (plot.clientWidth === width || !plot.clientWidth) return;
    width = plot.clientWidth;
    frame();
    curves();
  }).observe(plot);
}
