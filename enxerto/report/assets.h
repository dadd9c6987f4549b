/// The style and the script of the page. Neither holds a word: those are in texts.h. The charts that one can
/// point at are drawn by uPlot (third_party/uplot).
#pragma once

#include <string_view>

namespace enxerto {

/// third_party/uplot, its licence in a comment before it (uplot.cpp.in).
extern const std::string_view uplot_script, uplot_style;

/// Both themes keep a contrast of 4.5 for text, cells of the matrix included.
inline constexpr std::string_view page_style = R"css(
:root{color-scheme:light dark;--bg:#fff;--panel:#f5f6f8;--ink:#1b1f24;--soft:#555d69;--rule:#d5d9e0;
--train:#2563a8;--val:#a8480b;--right:31,85,145;--wrong:163,58,11;--inverse:#fff;--good:#1c6b3c;--bad:#a3260b;
--run0:#2563a8;--run1:#a8480b;--run2:#1c6b3c;--run3:#7a3e9d;--run4:#8a6d00;--run5:#0b7285;--run6:#b02a5b;--run7:#555d69}
@media (prefers-color-scheme:dark){:root{--bg:#14171c;--panel:#1d2128;--ink:#e6e9ee;--soft:#a3acb9;--rule:#363d48;
--train:#7db4f0;--val:#f0a35e;--right:125,180,240;--wrong:240,163,94;--inverse:#14171c;--good:#7fd49f;--bad:#ff9b82;
--run0:#7db4f0;--run1:#f0a35e;--run2:#7fd49f;--run3:#c9a0ea;--run4:#e3c94f;--run5:#63cddb;--run6:#f490b5;--run7:#a3acb9}}
*{box-sizing:border-box}
body{margin:0 auto;padding:2rem 1.25rem 3rem;max-width:1120px;background:var(--bg);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 .5rem;overflow-wrap:anywhere}
h2{font-size:1.25rem;margin:2.5rem 0 .75rem;border-bottom:1px solid var(--rule);padding-bottom:.25rem}
h3{font-size:1rem;margin:1.25rem 0 .5rem}
p{max-width:46rem;margin:.5rem 0}
code{font:.875em/1.4 ui-monospace,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
pre{background:var(--panel);padding:.6rem .8rem;border-radius:6px;white-space:pre-wrap;margin:.5rem 0}
a{color:var(--train)}
.outcome{display:inline-block;padding:.35rem .8rem;border-radius:6px;background:var(--panel);
border-left:4px solid var(--soft);overflow-wrap:anywhere}
.outcome.finished,.outcome.stopped_early{border-color:var(--good)}
.outcome.diverged{border-color:var(--bad)}
.outcome.interrupted,.outcome.running{border-color:var(--val)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(10.5rem,1fr));gap:.75rem;margin:1.25rem 0 0}
.tiles div{background:var(--panel);border-radius:8px;padding:.7rem .8rem}
.tiles dt{color:var(--soft);font-size:.875rem}
.tiles dd{margin:0}
.tiles dd b{display:block;font-size:1.45rem;white-space:nowrap;line-height:1.3;font-weight:650;font-variant-numeric:tabular-nums}
.tiles dd span{color:var(--soft);font-size:.8125rem}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(26rem,100%),1fr));gap:1.5rem}
figure{margin:0;min-width:0;break-inside:avoid}
figcaption{display:flex;flex-wrap:wrap;gap:.1rem 1rem;align-items:baseline;font-size:.875rem}
figcaption b{font-size:1rem}
.key{display:inline-flex;align-items:center;gap:.35rem;color:var(--soft)}
figure>svg{display:block;width:100%;height:auto}
svg text{font-size:12px;fill:var(--soft);font-variant-numeric:tabular-nums}
.axis path{stroke:var(--rule);fill:none}
.line{fill:none;stroke-width:2;stroke-linejoin:round}
.line.train{stroke:var(--train);stroke-dasharray:5 3}
.line.val{stroke:var(--val)}
.line.steps{stroke:var(--train);stroke-width:1;opacity:.55}
.line.only{stroke:var(--train);stroke-width:1.75}
.line.mark{stroke:var(--soft);stroke-width:1;stroke-dasharray:2 3}
.line.run0{stroke:var(--run0)}.line.run1{stroke:var(--run1)}.line.run2{stroke:var(--run2)}.line.run3{stroke:var(--run3)}
.line.run4{stroke:var(--run4)}.line.run5{stroke:var(--run5)}.line.run6{stroke:var(--run6)}.line.run7{stroke:var(--run7)}
circle.run0{fill:var(--run0)}circle.run1{fill:var(--run1)}circle.run2{fill:var(--run2)}circle.run3{fill:var(--run3)}
circle.run4{fill:var(--run4)}circle.run5{fill:var(--run5)}circle.run6{fill:var(--run6)}circle.run7{fill:var(--run7)}
th.run0{border-bottom:3px solid var(--run0)}th.run1{border-bottom:3px solid var(--run1)}th.run2{border-bottom:3px solid var(--run2)}
th.run3{border-bottom:3px solid var(--run3)}th.run4{border-bottom:3px solid var(--run4)}th.run5{border-bottom:3px solid var(--run5)}
th.run6{border-bottom:3px solid var(--run6)}th.run7{border-bottom:3px solid var(--run7)}
.chart.live>svg,.chart.live .key:has(svg){display:none}
.plot{min-width:0;overflow:hidden}.plot .u-legend{font-size:.8125rem;width:100%;color:var(--soft);text-align:left;margin:0;font-variant-numeric:tabular-nums}
.plot .u-legend th{min-width:0;padding:0 .2rem 0 0;font-weight:400}.plot .u-legend .u-marker{margin-right:.3rem}.plot .u-legend td{border:0;padding:0 .2rem}.plot .u-series{margin-right:.6rem}
.plot .u-legend tr>*{border:0}
[hidden]{display:none!important}
.switch{font:inherit;font-size:.875rem;float:right;margin:.3rem 0 .5rem 1rem;padding:.3rem .7rem;color:var(--ink);background:var(--panel);
border:1px solid var(--rule);border-radius:6px;cursor:pointer}
.fault{background:var(--panel);border-left:4px solid var(--bad);border-radius:6px;padding:.5rem .8rem}
.norms td{text-align:center;min-width:3rem;padding:.2rem .35rem}.norms th[scope=row]{position:sticky;left:0;background:var(--bg)}
.norms thead th:not(:first-child){text-align:center}
.norms .s1{background:rgba(var(--right),.15)}.norms .s2{background:rgba(var(--right),.3)}.norms .s3{background:rgba(var(--right),.45)}
.norms .l1{background:rgba(var(--wrong),.15)}.norms .l2{background:rgba(var(--wrong),.3)}.norms .l3{background:rgba(var(--wrong),.45)}
.norms .some{font-weight:700;color:var(--bad)}
.cards{list-style:none;margin:.75rem 0;padding:0;display:grid;grid-template-columns:repeat(auto-fill,minmax(10rem,1fr));gap:.75rem}
.cards li{background:var(--panel);border-radius:8px;padding:.6rem .7rem;font-size:.8125rem;break-inside:avoid;min-width:0}
.cards img{display:block;max-width:100%;min-height:4rem;height:auto;border-radius:4px;margin:0 0 .4rem;object-fit:contain}
.cards img.small{image-rendering:pixelated;width:6rem}
.cards b,.cards span,.cards small{display:block;overflow-wrap:anywhere}.cards span,.cards small{color:var(--soft)}
.gallery:empty{display:none}.gallery p{margin:.5rem 0 0;font-size:.875rem}
.matrix[data-split] tbody td{cursor:pointer}.matrix .chosen{outline:2px solid var(--ink);outline-offset:-2px}
.band{fill:var(--val);opacity:.18}
circle.train{fill:var(--train)}circle.val{fill:var(--val)}circle.only{fill:var(--train)}
.scroll{overflow-x:auto;max-width:100%;margin:.75rem 0}
table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--soft);padding:.25rem 0;width:max-content;max-width:min(34rem,85vw)}
th,td{padding:.25rem .7rem;text-align:right;border-bottom:1px solid var(--rule);white-space:nowrap}
thead th{vertical-align:bottom;font-weight:600}
th[scope=row],thead th:first-child,td.name,.pairs thead th:nth-child(2){text-align:left}
th[scope=row]{font-weight:500}
.side{display:flex;flex-wrap:wrap;gap:0 3rem;align-items:flex-start}
.sortable button{all:unset;cursor:pointer;font-weight:600}
.sortable button::after{content:" \2195";color:var(--soft)}
.sortable [aria-sort=ascending] button::after{content:" \2191";color:inherit}
.sortable [aria-sort=descending] button::after{content:" \2193";color:inherit}
:focus-visible{outline:2px solid var(--train)!important;outline-offset:1px}
td.bar{background:linear-gradient(90deg,rgba(var(--right),.28) var(--v),transparent 0)}
.words th,.words td{text-align:left!important;white-space:normal;overflow-wrap:anywhere;min-width:4.5rem}
.facts td{text-align:left;white-space:normal;overflow-wrap:anywhere}
.facts th{vertical-align:top;color:var(--soft);width:min(13rem,40vw);white-space:normal}
.facts caption{color:var(--ink);font-weight:600;padding-top:1rem;font-size:1rem}
.facts{width:100%;table-layout:fixed}
.matrix th,.matrix td{border:1px solid var(--bg);padding:.3rem .45rem}
.matrix tbody td{min-width:2.6rem;text-align:center;color:var(--soft);background:var(--panel)}
.matrix thead th span{display:inline-block;writing-mode:vertical-rl;transform:rotate(180deg);font-weight:500}
.matrix thead th{text-align:center}
.matrix tbody th{position:sticky;left:0;background:var(--bg);text-align:right}
.matrix .corner{text-align:right;vertical-align:bottom;color:var(--soft)}
.matrix .on{background:var(--panel);box-shadow:inset 0 0 0 1px var(--soft)}
.matrix.crowded{font-size:.625rem}.matrix.crowded th,.matrix.crowded td{padding:.1rem .12rem}
.matrix.crowded tbody td{min-width:1rem}
.readout{min-height:1.5em;font-size:.875rem;color:var(--soft)}
.scale{display:flex;flex-wrap:wrap;gap:.25rem .6rem;align-items:center;font-size:.8125rem;color:var(--soft)}
.strip{display:inline-flex;margin-right:1rem}.strip i{width:1rem;height:.8rem}
details>summary{cursor:pointer;margin:1rem 0 .5rem;font-weight:600}
footer{margin-top:3rem;color:var(--soft);font-size:.8125rem}
@media print{html{font-size:11px}body{max-width:none;padding:0;font-size:1rem}.charts{grid-template-columns:1fr 1fr}.scroll{overflow:visible}h2{break-after:avoid}
tr,.tiles div{break-inside:avoid}.readout,.switch,.plot,.screen{display:none}.chart.live>svg{display:block}.chart.live .key:has(svg){display:inline-flex}.matrix tbody th{position:static}
.cards{grid-template-columns:repeat(5,1fr)}
.matrix td,.strip i,td.bar,.norms td,.cards li,.fault{-webkit-print-color-adjust:exact;print-color-adjust:exact}
.sortable button::after{content:none}.matrix.crowded{font-size:6px}.matrix.crowded tbody td{min-width:0}}
)css";

/// Light pages turn the digits white from level 8 on, dark ones black from level 6 on; in between the shades
/// leave out those on which neither can be read.
inline constexpr std::string_view light_shades = "8 14 21 28 36 44 52 85 92 100";
inline constexpr std::string_view dark_shades = "12 20 28 36 44 75 81 87 93 100";

inline constexpr std::string_view page_script = R"js(
"use strict";
const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const dashes = {train: [6, 4], mark: [2, 3]}, widths = {steps: 1, only: 1.75};
const colours = {steps: "--train", only: "--train", low: "--val", high: "--val"};
const power = v => v.toExponential(2).replace(/\.?0+e/, "e").replace("+", "");
/// A figure with the decimal comma of Portuguese.
const localized = v => document.documentElement.lang === "pt" ? String(v).replace(".", ",") : String(v);
const short = v => v == null ? "–" : localized(Math.abs(v) >= 1e5 || (v && Math.abs(v) < 1e-4) ? power(v) : +v.toPrecision(4));
const part = v => v == null ? "–" : localized(+(100 * v).toFixed(2)) + " %";
const plots = new Map();

function plot(figure) {
  const data = JSON.parse(figure.querySelector("script").textContent), svg = figure.querySelector("svg");
  const box = document.createElement("div");
  box.className = "plot";
  figure.append(box);
  const colour = style => css(colours[style] || "--" + style) || css("--ink");
  const series = data.series.map(s => {
    const bound = s.style === "low" || s.style === "high";
    return {label: s.name, stroke: bound ? "transparent" : colour(s.style), width: widths[s.style] || 2, dash: dashes[s.style],
            alpha: s.style === "steps" ? .55 : 1, spanGaps: true, value: (u, v) => (data.percent ? part : short)(v),
            points: {show: !bound && s.style !== "steps" && s.x.length <= 60, size: 6, fill: colour(s.style)}};
  });
  const bands = data.series.findIndex(s => s.style === "high") < 0 ? [] :
      [{series: [data.series.findIndex(s => s.style === "high") + 1, data.series.findIndex(s => s.style === "low") + 1],
        fill: colour("val") + "30"}];
  const axis = {stroke: css("--soft"), font: "12px system-ui, sans-serif", grid: {stroke: css("--rule"), width: 1},
                ticks: {stroke: css("--rule"), width: 1, size: 4}};
  const marks = u => {
    if (!data.mark.length) return;
    const x = Math.round(u.valToPos(data.mark[0], "x", true)), area = u.bbox;
    if (x < area.left || x > area.left + area.width) return;
    u.ctx.save();
    u.ctx.strokeStyle = css("--soft");
    u.ctx.setLineDash([3, 4]);
    u.ctx.beginPath();
    u.ctx.moveTo(x, area.top);
    u.ctx.lineTo(x, area.top + area.height);
    u.ctx.stroke();
    u.ctx.restore();
  };
  const options = {
    width: Math.max(240, figure.clientWidth), height: 270,
    scales: {x: {time: false},
             y: data.log ? {distr: 3} : {range: (u, low, high) => {
               const room = (high - low || Math.abs(high) || 1) * .05;
               return [data.zero ? Math.min(0, low) : low - room, high + room];
             }}},
    axes: [{...axis, label: data.x, labelSize: 20, labelFont: axis.font, labelGap: 0, size: 34, grid: {show: false},
            incrs: data.share ? undefined : [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4],
            values: (u, all) => all.map(v => data.share ? part(v) : localized(v))},
           {...axis, size: 58, values: (u, all) => all.map(v => v == null ? "" : (data.percent ? part : short)(v))}],
    series: [{label: data.x, value: (u, v) => v == null ? "–" : data.share ? part(v) : short(v)}, ...series],
    bands, cursor: {drag: {x: true, y: false}, points: {size: 7}}, legend: {markers: {width: 2}}, hooks: {draw: [marks]},
  };
  const chart = new uPlot(options, uPlot.join(data.series.map(s => [s.x, s.y])), box);
  const canvas = box.querySelector("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", svg.getAttribute("aria-label"));
  figure.classList.add("live");
  plots.set(figure, {chart, box});
}
function unplot(figure) {
  const made = plots.get(figure);
  if (!made) return;
  made.chart.destroy();
  made.box.remove();
  plots.delete(figure);
}
/// Those of the language that is shown: others have no width yet.
function plotAll() {
  for (const figure of document.querySelectorAll("figure.chart"))
    if (!plots.has(figure) && figure.clientWidth > 0) plot(figure);
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const figure of [...plots.keys()]) unplot(figure);
  plotAll();
});
addEventListener("resize", () => {
  for (const [figure, {chart}] of plots)
    if (figure.clientWidth > 0) chart.setSize({width: Math.max(240, figure.clientWidth), height: 270});
});

const blocks = [...document.querySelectorAll("div.language")];
function speak(language) {
  for (const block of blocks) block.hidden = block.lang !== language;
  document.documentElement.lang = language;
  document.title = blocks.find(block => block.lang === language).querySelector("h1").textContent;
  plotAll();
}
for (const button of document.querySelectorAll("button.switch")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    speak(button.dataset.to);
    document.querySelector("div.language:not([hidden]) button.switch").focus();
  });
}
const wanted = (navigator.languages || [navigator.language]).map(l => l.slice(0, 2)).find(l => blocks.some(b => b.lang === l));
speak(wanted || blocks[0].lang);

const pictures = JSON.parse(document.getElementById("pictures").textContent);
function showPicture(card, picture, alt) {
  if (!picture || !picture.s) return;
  const image = new Image();
  image.alt = alt;
  image.onload = () => image.classList.toggle("small", image.naturalWidth < 80);
  image.src = "data:image/jpeg;base64," + picture.s;
  card.prepend(image);
}
function linkFile(small) {
  const path = small.dataset.path;
  if (!path.startsWith("/")) return;
  const link = document.createElement("a");
  link.href = "file://" + path.split("/").map(encodeURIComponent).join("/");
  link.textContent = small.textContent;
  small.replaceChildren(link);
}
for (const cards of document.querySelectorAll("ol.cards"))
  for (const card of cards.children) {
    if (card.dataset.at) showPicture(card, pictures[cards.dataset.split][card.dataset.at], card.querySelector("b").textContent);
    linkFile(card.querySelector("small"));
  }
const filled = (pattern, values) => pattern.split("{}").map((t, i) => t + (i < values.length ? values[i] : "")).join("");
/// The pictures of one cell of a confusion matrix, below it.
function showCell(table, cell) {
  const gallery = table.parentElement.parentElement.querySelector(".gallery"), row = cell.parentElement;
  const truth = row.sectionRowIndex, predicted = cell.cellIndex - 1;
  const names = [row.cells[0].textContent, table.tHead.rows[0].cells[cell.cellIndex].textContent];
  const found = pictures[table.dataset.split].filter(p => p.t === truth && p.p === predicted).slice(0, 24);
  for (const old of table.querySelectorAll(".chosen")) old.classList.remove("chosen");
  cell.classList.add("chosen");
  const heading = document.createElement("p"), list = document.createElement("ol");
  heading.textContent = filled(table.dataset.pictures, [...names, found.length, cell.textContent]);
  list.className = "cards";
  for (const picture of found) {
    const card = document.createElement("li"), what = document.createElement("span"), file = document.createElement("small");
    what.textContent = (picture.q == null ? "" : part(picture.q) + ", ") + filled(table.dataset.loss, [short(picture.l)]);
    file.className = "file";
    file.dataset.path = picture.f;
    file.textContent = picture.f.split("/").slice(-2).join("/");
    card.append(what, file);
    showPicture(card, picture, names[0] + ", " + names[1]);
    linkFile(file);
    list.append(card);
  }
  gallery.replaceChildren(heading, ...(found.length ? [list] : []));
}
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const spoken = table.closest("[lang]").lang;
  const plain = figure => spoken === "pt" ? figure.replace(/\u00a0/g, "").replace(",", ".") : figure.replace(/,/g, "");
  const value = (row, i) => {
    const shown = row.cells[i].textContent.trim();
    return i === 0 ? shown : /\d/.test(shown) ? parseFloat(plain(shown)) : -1;
  };
  heads.forEach((head, i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach(h => h.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const order = (a, b) => i === 0 ? a[0].localeCompare(b[0], undefined, {numeric: true}) : a[0] - b[0];
      const rows = [...body.rows].map(row => [value(row, i), row]).sort((a, b) => up ? order(a, b) : order(b, a));
      body.append(...rows.map(pair => pair[1]));
    });
  });
}
for (const table of document.querySelectorAll("table.matrix")) {
  const body = table.tBodies[0], names = table.tHead.rows[0].cells;
  const readout = table.parentElement.nextElementSibling;
  let lit = [];
  const show = cell => {
    const row = cell.parentElement, column = cell.cellIndex;
    let all = 0;
    for (let i = 1; i < row.cells.length; ++i) all += Number(row.cells[i].textContent);
    const count = Number(cell.textContent), share = localized((all ? 100 * count / all : 0).toFixed(1));
    const values = [row.cells[0].textContent, names[column].textContent, count, all, share];
    readout.textContent = filled(table.dataset.cell, values);
    lit.forEach(e => e.classList.remove("on"));
    lit = [row.cells[0], names[column]];
    lit.forEach(e => e.classList.add("on"));
  };
  const at = event => event.target.closest("tbody td");
  body.addEventListener("mouseover", event => at(event) && show(at(event)));
  body.addEventListener("focusin", event => at(event) && show(at(event)));
  if (table.dataset.split) body.addEventListener("click", event => at(event) && showCell(table, at(event)));
  body.rows[0].cells[1].tabIndex = 0;
  body.addEventListener("keydown", event => {
    const step = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]}[event.key];
    const from = at(event);
    if (from && table.dataset.split && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      showCell(table, from);
    }
    if (!step || !from) return;
    event.preventDefault();
    const row = body.rows[from.parentElement.sectionRowIndex + step[0]];
    const to = row && row.cells[from.cellIndex + step[1]];
    if (!to || to.tagName !== "TD") return;
    from.tabIndex = -1;
    to.tabIndex = 0;
    to.focus();
  });
}
)js";

}  // namespace enxerto
