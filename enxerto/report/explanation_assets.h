/// The style of the page of `enxerto explain` and the script of its map, beside those of every page
/// (assets.h). The script holds no word: those are in texts.h.
#pragma once

#include <string_view>

namespace enxerto {

/// third_party/umap-js, its licences in a comment before it (umap.cpp.in).
extern const std::string_view umap_script;

/// Classes that have a symbol to themselves: as many colours, round and square. What lies beyond shares one.
inline constexpr int map_colours = 7, map_symbols = 2 * map_colours;

inline constexpr std::string_view explanation_style = R"css(
.maps{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(26rem,100%),1fr));gap:1.5rem;align-items:start}
.map svg{background:var(--panel);border-radius:8px}
.maps.live .map svg{cursor:crosshair}
.map p{font-size:.875rem;color:var(--soft)}
.dot,.rim,.gap{fill:none;stroke-linecap:round;stroke-width:7}
.dot{stroke-opacity:.8}.dot.square{stroke-linecap:square;stroke-width:6}
.rim{stroke:var(--ink);stroke-width:12.5}.gap{stroke:var(--panel);stroke-width:10}.wrong .dot{stroke-opacity:1}
.k0{stroke:var(--run0)}.k1{stroke:var(--run1)}.k2{stroke:var(--run2)}.k3{stroke:var(--run3)}
.k4{stroke:var(--run4)}.k5{stroke:var(--run5)}.k6{stroke:var(--run6)}.k7{stroke:var(--run7)}
.dense .dot{stroke-width:4.5}.dense .square{stroke-width:4}.dense .rim{stroke-width:8.5}.dense .gap{stroke-width:6.5}
.faded .right{opacity:.15}
.links{fill:none;stroke:var(--ink);stroke-width:1;pointer-events:none}
.at{fill:none;stroke:var(--ink);stroke-width:2;pointer-events:none}
.legend{list-style:none;padding:0;margin:.75rem 0;display:flex;flex-wrap:wrap;gap:.3rem .5rem;font-size:.875rem}
.legend li,.legend button{display:inline-flex;align-items:center;gap:.3rem;overflow-wrap:anywhere}
.legend button{font:inherit;color:var(--ink);background:var(--panel);border:1px solid var(--rule);border-radius:6px;
padding:.15rem .5rem;cursor:pointer}
.legend button.off{color:var(--soft);text-decoration:line-through;background:none}
.legend button.on{border-color:var(--ink)}
.legend small{color:var(--soft)}
.picked{display:flex;flex-wrap:wrap;gap:.75rem 1.5rem;min-height:12rem;align-items:flex-start;font-size:.875rem}
.picked canvas{border-radius:4px;background:var(--panel)}
.picked b,.picked span,.picked small{display:block;overflow-wrap:anywhere}
.picked .told{width:14rem;max-width:100%}
.picked ol{list-style:none;display:flex;flex-wrap:wrap;gap:.5rem;padding:0;margin:.3rem 0}
.picked li{width:5.5rem;font-size:.75rem}.picked li canvas{width:100%}
.picked small,.picked span{color:var(--soft)}
@media (max-width:50rem){.picked>canvas{width:5.5rem}
.picked:not(:empty){position:sticky;bottom:0;background:var(--bg);padding:.5rem 0;min-height:0}}
@media print{.cards[data-split=nearest]{grid-template-columns:repeat(6,1fr)}.picked{display:none}
.legend button{border:0;padding:0}.maps{grid-template-columns:1fr 1fr}.map svg{background:none}
.dot,.rim,.gap,.legend svg{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
)css";

/// Runs after page_script, of which it takes filled(), linkFile(), localized().
inline constexpr std::string_view map_script = R"js(
"use strict";
{
const map = JSON.parse(document.getElementById("map").textContent), n = map.x.length, near = map.near[0].length;
const [width, height] = map.size, part = v => localized((100 * v).toFixed(1)) + " %";
const node = (name, attributes) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
};
const element = (name, text) => {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
};
const sheet = new Image();
sheet.src = "data:image/jpeg;base64," + map.sheet;
const loaded = sheet.decode();
/// A picture's tile of the sheet, `side` pixels at its longer side.
function tile(i, side) {
  const canvas = document.createElement("canvas"), [w, h] = map.tile, scale = side / Math.max(w, h);
  canvas.width = Math.round(w * scale);
  canvas.height = Math.round(h * scale);
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", map.file[i]);
  const pen = canvas.getContext("2d");
  pen.imageSmoothingEnabled = Math.max(w, h) > 40;
  const from = [i % map.columns * w, Math.floor(i / map.columns) * h];
  loaded.then(() => pen.drawImage(sheet, ...from, w, h, 0, 0, canvas.width, canvas.height));
  return canvas;
}
function drawPoints(svg, x, y) {
  for (const wrong of [0, 1])
    for (let symbol = 0; symbol < map.symbols.length; ++symbol) {
      let d = "";
      for (let i = 0; i < n; ++i) if (map.symbol[i] === symbol && map.wrong[i] === wrong) d += `M${x[i]} ${y[i]}h0`;
      if (!d) continue;
      const group = node("g", {class: wrong ? "wrong" : "right", "data-symbol": symbol});
      if (wrong) group.append(node("path", {class: "rim", d}), node("path", {class: "gap", d}));
      group.append(node("path", {class: map.symbols[symbol], d}));
      svg.append(group);
    }
}
/// The maps of one language: they point at the same picture, and hide the same classes.
class Maps {
  constructor(section) {
    this.section = section;
    this.words = section.dataset;
    this.card = section.querySelector(".picked");
    this.charts = [];
    this.hidden = new Set();
    this.pinned = this.shown = -1;
    for (const item of section.querySelectorAll(".legend li")) this.addButton(item);
    this.addChart(section.querySelector("svg.components"), map.x, map.y);
    section.querySelector(".maps").classList.add("live");
  }
  addButton(item) {
    const button = document.createElement("button"), symbol = item.dataset.symbol;
    button.type = "button";
    button.append(...item.childNodes);
    item.append(button);
    button.setAttribute("aria-pressed", symbol !== undefined);
    button.addEventListener("click", () => {
      const pressed = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", pressed);
      if (symbol === undefined) {
        this.section.classList.toggle("faded", pressed);
        button.classList.toggle("on", pressed);
        return;
      }
      button.classList.toggle("off", !pressed);
      this.hidden[pressed ? "delete" : "add"](+symbol);
      this.hide(this.section);
    });
  }
  /// In a part of the page: the points of the classes that are not to be seen.
  hide(part) {
    for (const group of part.querySelectorAll("g[data-symbol]"))
      group.style.display = this.hidden.has(+group.dataset.symbol) ? "none" : "";
  }
  addChart(svg, x, y) {
    const links = node("path", {class: "links"}), at = node("circle", {class: "at", r: 9, visibility: "hidden"});
    svg.append(links, at);
    this.charts.push({x, y, links, at});
    this.hide(svg);
    /// The nearest point that is shown, at most `reach` away; -1: none.
    const find = (left, top, reach) => {
      let best = -1, least = reach * reach;
      for (let i = 0; i < n; ++i) {
        const far = (x[i] - left) ** 2 + (y[i] - top) ** 2;
        if (far < least && !this.hidden.has(map.symbol[i])) [best, least] = [i, far];
      }
      return best;
    };
    const under = event => {
      const box = svg.getBoundingClientRect();
      return find((event.clientX - box.left) * width / box.width, (event.clientY - box.top) * height / box.height, 14);
    };
    svg.tabIndex = 0;
    svg.addEventListener("pointermove", event => {
      const i = under(event);
      this.show(i < 0 ? this.pinned : i);
    });
    svg.addEventListener("pointerleave", () => this.show(this.pinned));
    svg.addEventListener("click", event => {
      const i = under(event);
      this.show(this.pinned = i === this.pinned ? -1 : i);
    });
    svg.addEventListener("keydown", event => {
      const step = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
      if (!step) return;
      event.preventDefault();
      if (this.shown < 0) return this.show(this.pinned = find(width / 2, height / 2, Infinity));
      // What lies ahead, and rather straight ahead.
      let best = -1, least = Infinity;
      for (let i = 0; i < n; ++i) {
        const ahead = (x[i] - x[this.shown]) * step[0] + (y[i] - y[this.shown]) * step[1];
        const aside = Math.abs((x[i] - x[this.shown]) * step[1] + (y[i] - y[this.shown]) * step[0]);
        if (ahead <= 0 || aside > ahead || this.hidden.has(map.symbol[i])) continue;
        if (ahead + 2 * aside < least) [best, least] = [i, ahead + 2 * aside];
      }
      if (best >= 0) this.show(this.pinned = best);
    });
    const shown = this.shown;
    this.shown = undefined;  // so that it is marked here too
    this.show(shown);
  }
  show(i) {
    if (i === this.shown) return;
    this.shown = i;
    for (const {x, y, links, at} of this.charts) {
      at.setAttribute("visibility", i < 0 ? "hidden" : "visible");
      links.setAttribute("d", i < 0 ? "" : map.near[i].map(k => `M${x[i]} ${y[i]}L${x[k]} ${y[k]}`).join(""));
      if (i >= 0) at.setAttribute("cx", x[i]), at.setAttribute("cy", y[i]);
    }
    this.card.replaceChildren();
    if (i < 0) return;
    const told = element("div", ""), others = element("div", ""), list = element("ol", "");
    const file = element("small", map.file[i].split("/").slice(-2).join("/"));
    file.dataset.path = map.file[i];
    const label = k => map.label[k] < 0 ? this.words.none : map.classes[map.label[k]];
    told.className = "told";
    told.append(element("b", filled(this.words.label, [label(i)])),
                element("span", filled(this.words.answer, [map.answers[map.predicted[i]], part(map.probability[i])])),
                file);
    linkFile(file);
    map.near[i].slice(0, 5).forEach((k, place) => {
      const item = document.createElement("li");
      item.append(tile(k, 88), element("b", label(k)), element("span", map.far[i][place].toPrecision(2)));
      list.append(item);
    });
    others.append(element("span", this.words.nearest), list);
    this.card.append(tile(i, 176), told, others);
  }
}
/// Points as large as fit, to scale.
function placed(points) {
  const axes = [0, 1].map(axis => points.map(point => point[axis])), sides = [width, height];
  const ends = axes.map(values => [Math.min(...values), Math.max(...values)]);
  const scale = Math.min(...ends.map(([low, high], axis) => (sides[axis] - 2 * map.margin) / (high - low || 1)));
  return axes.map((values, axis) => values.map(value =>
      +(sides[axis] / 2 + (value - (ends[axis][0] + ends[axis][1]) / 2) * scale).toFixed(1)));
}
/// Of the nearest by all features, the share that is among as many nearest here; of equal distances the earlier.
function keptShare(points) {
  let kept = 0;
  for (let i = 0; i < n; ++i) {
    const far = [], who = [];
    for (let k = 0; k < n; ++k) {
      if (k === i) continue;
      const d = (points[i][0] - points[k][0]) ** 2 + (points[i][1] - points[k][1]) ** 2;
      if (far.length === near && !(d < far[near - 1])) continue;
      let at = Math.min(far.length, near - 1);
      for (; at > 0 && d < far[at - 1]; --at) [far[at], who[at]] = [far[at - 1], who[at - 1]];
      [far[at], who[at]] = [d, k];
    }
    for (const k of who) kept += map.near[i].includes(k);
  }
  return kept / (n * near);
}
/// From the exact neighbours, beginning with the components' map (Kobak & Linderman 2021), by a seed: the same browser
/// makes the same map again.
async function makeUmap(working) {
  let seed = 1;
  const random = () => {  // mulberry32
    seed = seed + 0x6D2B79F5 | 0;
    let t = Math.imul(seed ^ seed >>> 15, 1 | seed);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) / 4294967296;
  };
  const used = Math.min(near, n - 2), umap = new UMAP.UMAP({nNeighbors: used + 1, random});
  umap.setPrecomputedKNN(map.near.map((list, i) => [i, ...list.slice(0, used)]),
                         map.far.map(list => [0, ...list.slice(0, used)]));
  const epochs = umap.initializeFit(map.near);  // of which only the length is read: who is near whom is known
  umap.getEmbedding().forEach((point, i) => {
    point[0] = 20 * (map.x[i] / width - .5);
    point[1] = 20 * (map.y[i] / height - .5);
  });
  let since = performance.now();
  for (let epoch = 0; epoch < epochs; ++epoch) {
    umap.step();
    if (performance.now() - since < 30) continue;
    working(epoch / epochs);
    await new Promise(done => setTimeout(done));
    since = performance.now();
  }
  return umap.getEmbedding();
}
const all = [...document.querySelectorAll("section.pictures-map")].map(section => new Maps(section));
const each = call => all.forEach(maps => call(maps, maps.section.querySelector("figure.umap")));
const say = (what, values) => each((maps, figure) => {
  figure.querySelector(".state").textContent = filled(maps.words[what], values);
});
each((maps, figure) => { figure.hidden = false; });
setTimeout(async () => {
  try {
    const points = await makeUmap(done => say("working", [Math.round(100 * done)]));
    const [x, y] = placed(points), kept = keptShare(points);
    say("kept", [near, part(kept), near, part(near / (n - 1))]);
    each((maps, figure) => {
      const svg = figure.querySelector("svg");
      drawPoints(svg, x, y);
      maps.addChart(svg, x, y);
      figure.querySelector(".state").append(maps.words.note);
      figure.dataset.kept = kept;
    });
  } catch (error) {
    say("failed", [error.message]);
  }
});
}
)js";

}  // namespace enxerto
