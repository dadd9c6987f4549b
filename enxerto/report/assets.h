/// The style and the script of the page. Neither holds a word: those are in texts.h.
#pragma once

#include <string_view>

namespace enxerto {

/// Both themes keep a contrast of 4.5 for text, cells of the matrix included.
inline constexpr std::string_view page_style = R"css(
:root{color-scheme:light dark;--bg:#fff;--panel:#f5f6f8;--ink:#1b1f24;--soft:#555d69;--rule:#d5d9e0;
--train:#2563a8;--val:#a8480b;--right:31,85,145;--wrong:163,58,11;--inverse:#fff;--good:#1c6b3c;--bad:#a3260b}
@media (prefers-color-scheme:dark){:root{--bg:#14171c;--panel:#1d2128;--ink:#e6e9ee;--soft:#a3acb9;--rule:#363d48;
--train:#7db4f0;--val:#f0a35e;--right:125,180,240;--wrong:240,163,94;--inverse:#14171c;--good:#7fd49f;--bad:#ff9b82}}
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
tr,.tiles div{break-inside:avoid}.readout{display:none}.matrix tbody th{position:static}
.matrix td,.strip i,td.bar{-webkit-print-color-adjust:exact;print-color-adjust:exact}
.sortable button::after{content:none}.matrix.crowded{font-size:6px}.matrix.crowded tbody td{min-width:0}}
)css";

/// Light pages turn the digits white from level 8 on, dark ones black from level 6 on; in between the shades
/// leave out those on which neither can be read.
inline constexpr std::string_view light_shades = "8 14 21 28 36 44 52 85 92 100";
inline constexpr std::string_view dark_shades = "12 20 28 36 44 75 81 87 93 100";

inline constexpr std::string_view page_script = R"js(
"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const value = (row, i) => {
    const shown = row.cells[i].textContent.trim();
    return i === 0 ? shown : /\d/.test(shown) ? parseFloat(shown.replace(/,/g, "")) : -1;
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
    const count = Number(cell.textContent), part = all ? (100 * count / all).toFixed(1) : "0.0";
    const values = [row.cells[0].textContent, names[column].textContent, count, all, part];
    readout.textContent = table.dataset.cell.split("{}").map((t, i) => t + (i < values.length ? values[i] : "")).join("");
    lit.forEach(e => e.classList.remove("on"));
    lit = [row.cells[0], names[column]];
    lit.forEach(e => e.classList.add("on"));
  };
  const at = event => event.target.closest("tbody td");
  body.addEventListener("mouseover", event => at(event) && show(at(event)));
  body.addEventListener("focusin", event => at(event) && show(at(event)));
  body.rows[0].cells[1].tabIndex = 0;
  body.addEventListener("keydown", event => {
    const step = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]}[event.key];
    const from = at(event);
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
