"use strict";
let data = readData(); // the events change in the console, while they are recognised
const find = (selector, root = document) => root.querySelector(selector);
const findAll = (selector, root = document) => [...root.querySelectorAll(selector)];
const video = find("#video"), canvas = find("#chart");
const LABELS = 108, PAIR = 20, SINGLE = 14, AXIS = 20, SHORTEST = 0.2; // px, px, px, px, s
const whole = Math.max(data.seconds, 1e-3);
const curves = new Map();
const state = {from: 0, to: whole, open: null, face: null, at: null, until: null};

function readData() { return JSON.parse(document.getElementById("data").textContent); }
function takeCurves(found) {
  for (const each of found) curves.set(each.face, {...each, rows: each.rows.map(row => ({...row, left: decode(row.left), right: decode(row.right)}))});
  if (found.length && state.face === null) state.face = found[0].face;
  writeScale(); draw();
}
function decode(text) { return Uint8Array.from(atob(text), sign => sign.charCodeAt(0)); }
function clock(seconds) {
  if (whole < 60) return seconds.toFixed(2) + " s";
  const tenths = Math.round(seconds * 10), minutes = Math.floor(tenths / 600), rest = (tenths % 600) / 10;
  const end = String(minutes % 60).padStart(minutes > 59 ? 2 : 1, "0") + ":" + rest.toFixed(1).padStart(4, "0");
  return minutes > 59 ? Math.floor(minutes / 60) + ":" + end : end;
}

function label(seconds, step) {
  if (step < 1) return clock(seconds);
  return whole < 60 ? seconds + " s" : clock(seconds).replace(/[.]0$/, "");
}

// The window of time that is shown.
function show(from, to) {
  const length = Math.min(Math.max(to - from, SHORTEST), whole);
  state.from = Math.min(Math.max(from, 0), whole - length);
  state.to = state.from + length;
  place();
}
function zoom(factor, centre = (state.from + state.to) / 2) {
  if (!factor) return show(0, whole);
  const length = Math.max((state.to - state.from) / factor, SHORTEST), share = (centre - state.from) / (state.to - state.from);
  show(centre - share * length, centre + (1 - share) * length);
}
function place() {
  const length = state.to - state.from, percent = seconds => 100 * (seconds - state.from) / length + "%";
  for (const mark of findAll(".mark")) {
    mark.style.left = percent(+mark.dataset.from);
    mark.style.width = 100 * (mark.dataset.to - mark.dataset.from) / length + "%";
  }
  placeStrip(length);
  const frame = find("#window");
  if (frame) { frame.style.left = 100 * state.from / whole + "%"; frame.style.width = 100 * length / whole + "%"; }
  draw();
}

// Pictures that would cover another one are left out; zooming in brings them back.
function placeStrip(length) {
  const room = find(".strip .plot");
  let end = -Infinity;
  for (const picture of room ? room.children : []) {
    const middle = (picture.dataset.at - state.from) / length * room.clientWidth, half = picture.offsetWidth / 2;
    const seen = middle - half >= end && middle + half > 0 && middle - half < room.clientWidth;
    picture.style.left = middle + "px"; picture.style.visibility = seen ? "visible" : "hidden";
    if (seen) end = middle + half + 2;
  }
}

// The chart: one row per region, the largest value of each column of pixels.
let waiting = false;
function draw() {
  if (!canvas || waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; paint(); });
}
function rowHeight(row) { return row.right.length ? PAIR : SINGLE; }
function paint() {
  const shown = curves.get(state.face), style = getComputedStyle(document.documentElement), colour = name => style.getPropertyValue(name).trim();
  const width = canvas.clientWidth, height = (shown ? shown.rows.reduce((sum, row) => sum + rowHeight(row), 0) : 0) + AXIS;
  const ratio = window.devicePixelRatio || 1, pen = canvas.getContext("2d");
  canvas.style.height = height + "px";
  canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
  pen.scale(ratio, ratio);
  const room = width - LABELS, length = state.to - state.from, x = seconds => LABELS + room * (seconds - state.from) / length;
  pen.font = "12px system-ui, sans-serif"; pen.textBaseline = "middle";
  if (!shown) { pen.fillStyle = colour("--soft"); pen.fillText(state.waits || "This face was not followed long enough.", 0, height / 2); return; }
  pen.save(); pen.beginPath(); pen.rect(LABELS, 0, room, height); pen.clip();
  for (const event of data.events) {
    if (event.face !== state.face || event.offset < state.from || event.onset > state.to) continue;
    pen.globalAlpha = event.id === state.open ? 0.3 : event.flagged ? 0.07 : 0.15;
    pen.fillStyle = colour("--" + event.kind);
    pen.fillRect(x(event.onset), 0, Math.max(x(event.offset) - x(event.onset), 1.5), height - AXIS);
  }
  pen.globalAlpha = 1;
  const step = [.05, .1, .2, .5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600].find(each => each / length * room > 80) || 7200;
  for (let tick = Math.ceil(state.from / step); tick * step <= state.to; tick++) {
    pen.fillStyle = colour("--line"); pen.fillRect(x(tick * step), 0, 1, height - AXIS + 4);
    pen.fillStyle = colour("--soft"); pen.textAlign = "center"; pen.fillText(label(tick * step, step), Math.min(Math.max(x(tick * step), LABELS + 22), width - 22), height - 7);
  }
  let top = 0;
  for (const row of shown.rows) {
    const middle = top + (row.right.length ? rowHeight(row) / 2 : rowHeight(row) - 1), reach = row.right.length ? PAIR / 2 - 1 : SINGLE - 2;
    pen.fillStyle = colour("--line"); pen.fillRect(LABELS, middle, room, 1);
    pen.fillStyle = colour(row.context ? "--calm" : "--blue");
    paintRow(pen, row.left, shown.bin_seconds, middle, -reach, room, length);
    paintRow(pen, row.right, shown.bin_seconds, middle + 1, reach, room, length);
    top += rowHeight(row);
  }
  find("#lanes").style.setProperty("--now", state.at === null ? "-9px" : 100 * (state.at - state.from) / length + "%");
  if (state.at !== null) { pen.fillStyle = colour("--ink"); pen.fillRect(x(state.at), 0, 1.5, height - AXIS); }
  pen.restore();
  top = 0; pen.textAlign = "left";
  for (const row of shown.rows) {
    pen.fillStyle = colour(row.context ? "--soft" : "--ink"); pen.fillText(row.name, 0, top + rowHeight(row) / 2 + 1); top += rowHeight(row);
  }
}
function paintRow(pen, values, bin, middle, reach, room, length) {
  for (let column = 0; column < room && values.length; column++) {
    const from = (state.from + column / room * length) / bin, to = (state.from + (column + 1) / room * length) / bin;
    let largest = -1;
    for (let at = Math.max(0, Math.round(from)); at <= Math.min(values.length - 1, Math.max(Math.round(from), Math.ceil(to) - 1)); at++)
      if (values[at] < 255 && values[at] > largest) largest = values[at];
    if (largest > 0) pen.fillRect(LABELS + column, middle, 1.2, reach * Math.sqrt(largest / 254)) /* small motion shows too */;
  }
}
function readOut(event) {
  const box = canvas.getBoundingClientRect(), shown = curves.get(state.face), seconds = timeAt(event);
  if (!shown || event.clientX - box.left < LABELS) return;
  let top = 0, text = clock(seconds);
  for (const row of shown.rows) {
    const below = event.clientY - box.top;
    if (below >= top && below < top + rowHeight(row)) {
      const bin = Math.min(row.left.length - 1, Math.round(seconds / shown.bin_seconds));
      const value = bytes => bytes[bin] === 255 ? "not followed" : (bytes[bin] / 254 * (row.context ? 100 : 100 * shown.scale)).toFixed(row.context ? 0 : 1) + " %";
      text += " · " + row.name + " " + (row.right.length ? "left " + value(row.left) + ", right " + value(row.right) : value(row.left));
    }
    top += rowHeight(row);
  }
  find("#readout").textContent = text;
}
function timeAt(event) {
  const box = canvas.getBoundingClientRect();
  return state.from + (event.clientX - box.left - LABELS) / (box.width - LABELS) * (state.to - state.from);
}
function chooseFace(face) {
  if (face === state.face) return;
  state.face = face;
  pressFace();
  writeScale(); draw();
}
function pressFace() {
  for (const button of findAll("[data-face]")) button.setAttribute("aria-pressed", String(+button.dataset.face === state.face));
  if (find("#shown-face") && state.face !== null) find("#shown-face").textContent = "face " + state.face;
}
function writeScale() { const shown = curves.get(state.face); if (find("#scale") && shown) find("#scale").textContent = (100 * shown.scale).toFixed(1) + " %"; }

// Events.
function openEvent(id, move = true) {
  const event = data.events.find(each => each.id === id);
  if (!event) return;
  closeEvent();
  state.open = id;
  const section = find("#event-" + id) || addSection(id);
  section.hidden = false;
  const filled = data.asked ? fillSection(section, event) : null;
  mark(id, true);
  chooseFace(event.face);
  const long = (event.offset - event.onset) / (state.to - state.from) * (canvas ? canvas.clientWidth : 1000) < 6;
  if (long || event.onset < state.from || event.offset > state.to) show(event.onset - 4, event.offset + 4);
  seek(event.apex);
  const lanes = find("#lanes");
  if (lanes) section.style.scrollMarginTop = lanes.offsetHeight + 12 + "px"; // they stay on top
  const reveal = () => { section.scrollIntoView({block: "nearest"}); section.focus({preventScroll: true}); };
  if (move) { reveal(); filled?.then(reveal); }
  history.replaceState(null, "", "#event-" + id);
  draw();
}
// In the console an event is asked for when it is opened, and again once there is more to show of it.
function addSection(id) {
  const section = Object.assign(document.createElement("section"), {id: "event-" + id, className: "event", tabIndex: -1});
  section.dataset.event = id;
  section.setAttribute("aria-labelledby", "title-" + id);
  find("#opened").append(section);
  return section;
}
async function fillSection(section, event) {
  if (section.dataset.version === event.version) return;
  section.dataset.version = event.version;
  const text = await ask("/events/" + event.id, "text").catch(() => null);
  if (section.dataset.version !== event.version) return; // a later answer comes
  if (text === null) { delete section.dataset.version; section.textContent = "This event could not be loaded. Close it and open it again."; return; }
  if (state.open === event.id) stopFilm();
  section.innerHTML = text;
}
async function ask(path, kind) {
  const answer = await fetch(location.pathname + path + location.search, {cache: "no-store"});
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).detail || "The console answered with status " + answer.status + ".");
  return answer[kind]();
}
function takeNews() {
  data = readData();
  pressFace(); place(); filter();
  const event = data.events.find(each => each.id === state.open);
  if (event) { mark(event.id, true); fillSection(find("#event-" + event.id), event); }
}
function closeEvent() {
  if (state.open === null) return;
  stopFilm();
  find("#event-" + state.open).hidden = true;
  mark(state.open, false);
  state.open = null;
  history.replaceState(null, "", "#");
  draw();
}
function mark(id, on) {
  for (const element of findAll(`[data-open="${id}"]`)) { element.classList.toggle("current", on); if (element.hasAttribute("aria-expanded")) element.setAttribute("aria-expanded", String(on)); }
  const row = find(`tr[data-event="${id}"]`);
  if (row) {
    row.classList.toggle("current", on);
    const list = find(".scroll");
    if (on && (row.offsetTop < list.scrollTop + 26 || row.offsetTop + row.offsetHeight > list.scrollTop + list.clientHeight)) list.scrollTop = row.offsetTop - list.clientHeight / 2;
  }
}
function listed() { return findAll("tr[data-event]").filter(row => !row.hidden).map(row => +row.dataset.event); }
function step(by) {
  const ids = listed(), at = ids.indexOf(state.open);
  if (ids.length) openEvent(at < 0 ? ids[by > 0 ? 0 : ids.length - 1] : ids[Math.min(Math.max(at + by, 0), ids.length - 1)]);
}
function filter() {
  const on = Object.fromEntries(findAll("[data-show]").map(box => [box.dataset.show, box.checked]));
  for (const event of data.events) {
    const seen = on[event.kind] && (on.flagged || !event.flagged);
    find(`tr[data-event="${event.id}"]`).hidden = !seen;
    for (const each of findAll(`.mark[data-open="${event.id}"]`)) each.hidden = !seen;
  }
}

// The recording.
function seek(seconds) { state.at = seconds; state.until = null; if (video) { video.pause(); video.currentTime = seconds; } draw(); }
function playEvent(id) {
  const event = data.events.find(each => each.id === id);
  video.currentTime = Math.max(0, event.onset - 0.5); state.until = event.offset + 0.5;
  video.scrollIntoView({block: "center"}); video.play();
}
function follow() {
  state.at = video.currentTime;
  if (state.until !== null && state.at > state.until) { state.until = null; video.pause(); }
  if (state.at > state.to || state.at < state.from) show(state.at - (state.to - state.from) * 0.1, state.at + (state.to - state.from) * 0.9); else draw();
  if (!video.paused) requestAnimationFrame(follow);
}

// The film of an event: its frames one after the other, both as recorded and magnified.
let running = null;
function listTimes(film) { return film.dataset.times.split(" ").map(Number); }
function stopFilm() {
  if (running === null) return;
  clearInterval(running.timer); running.button.setAttribute("aria-pressed", "false"); running.button.textContent = "play slowly"; running = null;
}
function turnFilm(film, frame) {
  for (const cell of findAll(".moving", film)) cell.style.setProperty("--x", frame);
  find("input", film).value = frame;
  find("output", film).textContent = "+" + listTimes(film)[frame].toFixed(2) + " s";
}
function runFilm(film, button) {
  const again = running !== null && running.button === button;
  stopFilm();
  if (again) return;
  button.setAttribute("aria-pressed", "true"); button.textContent = "stop";
  const count = listTimes(film).length;
  let frame = +find("input", film).value;
  running = {button, timer: setInterval(() => { frame = (frame + 1) % count; turnFilm(film, frame); }, 160)};
}

document.addEventListener("click", event => {
  const target = event.target.closest("button, tr[data-event], #overview");
  if (!target) return;
  if (target.dataset.open) { const id = +target.dataset.open; if (id === state.open) closeEvent(); else openEvent(id); }
  else if (target.matches("tr")) openEvent(+target.dataset.event);
  else if (target.dataset.face) chooseFace(+target.dataset.face);
  else if (target.dataset.zoom !== undefined) zoom(+target.dataset.zoom, state.at !== null && state.at >= state.from && state.at <= state.to ? state.at : undefined);
  else if (target.dataset.step) step(+target.dataset.step);
  else if (target.dataset.play) playEvent(+target.dataset.play);
  else if (target.dataset.close !== undefined) { const id = state.open; closeEvent(); find(`.open[data-open="${id}"]`)?.focus(); }
  else if (target.matches(".run")) runFilm(target.closest(".film"), target);
  else if (target.id === "overview") {
    const box = target.getBoundingClientRect(), at = (event.clientX - box.left) / box.width * whole, half = (state.to - state.from) / 2;
    show(at - half, at + half);
  }
});
document.addEventListener("input", event => {
  if (event.target.matches("[data-show]")) filter();
  if (event.target.matches(".reel input")) { stopFilm(); turnFilm(event.target.closest(".film"), +event.target.value); }
});
document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input[type=range], video")) return;
  const keys = {ArrowRight: () => step(1), ArrowLeft: () => step(-1), Escape: () => { const id = state.open; closeEvent(); find(`.open[data-open="${id}"]`)?.focus(); },
    "+": () => zoom(2, state.at ?? undefined), "=": () => zoom(2, state.at ?? undefined), "-": () => zoom(0.5, state.at ?? undefined), "0": () => zoom(0)};
  if (event.key === " " && video && !event.target.matches("button, input, summary")) keys[" "] = () => { state.until = null; if (video.paused) video.play(); else video.pause(); };
  if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
});
if (canvas) {
  let drag = null;
  canvas.addEventListener("pointerdown", event => { drag = {x: event.clientX, from: state.from, to: state.to, moved: false}; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointermove", event => {
    readOut(event);
    if (!drag) return;
    const by = (event.clientX - drag.x) / (canvas.clientWidth - LABELS) * (drag.to - drag.from);
    if (Math.abs(event.clientX - drag.x) > 3) drag.moved = true;
    if (drag.moved) show(drag.from - by, drag.to - by);
  });
  canvas.addEventListener("pointerup", event => { if (drag && !drag.moved && timeAt(event) >= state.from) seek(Math.max(0, Math.min(timeAt(event), whole))); drag = null; });
  canvas.addEventListener("pointercancel", () => { drag = null; });
  canvas.addEventListener("wheel", event => { if (event.ctrlKey) { event.preventDefault(); zoom(event.deltaY < 0 ? 1.25 : 0.8, timeAt(event)); } }, {passive: false});
  new ResizeObserver(draw).observe(canvas);
}
if (video) {
  video.addEventListener("play", follow); video.addEventListener("timeupdate", follow);
  video.addEventListener("error", () => { find("#unplayable").hidden = false; });
}
for (const query of ["(prefers-color-scheme: dark)", "print"]) matchMedia(query).addEventListener("change", paintNow);
addEventListener("beforeprint", () => { closeEvent(); show(0, whole); paintNow(); });
function paintNow() { if (canvas) paint(); }
if (data.asked) {
  state.waits = "The curves are loaded.";
  ask("/curves", "json").then(found => { state.waits = ""; takeCurves(found); }, fault => { state.waits = fault.message; draw(); });
  document.addEventListener("refreshed", takeNews);
} else takeCurves(data.curves);
place();
const asked = /^#event-(\d+)$/.exec(location.hash);
if (asked) openEvent(+asked[1]);
