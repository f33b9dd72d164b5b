// The page of uploads: what is chosen, what is sent, and how far it is.
import { Refusal, Sender, runAll } from "./upload_sender.js";

const FILES_AT_ONCE = 4;
const NAMES_AT_ONCE = 500; // of one request
const SHOWN_FAULTS = 10;
const root = document.body.dataset.root;
const form = document.getElementById("upload");
const [files, folder, drop, pause] = ["files", "folder", "drop", "pause"].map((id) => document.getElementById(id));
const archives = form.dataset.archives.split(" ").sort((one, other) => other.length - one.length);
let chosen = []; // {file, path}
let stopping = null; // of the upload that works

const target = () => new FormData(form).get("to");
const say = (text) => (document.getElementById("state").textContent = text);
const countOf = (count) => `${count.toLocaleString("en")} ${count === 1 ? "file" : "files"}`;

function formatAmount(bytes) {
  const power = Math.min(4, Math.max(0, Math.floor(Math.log10(Math.max(bytes, 1)) / 3)));
  return `${(bytes / 1000 ** power).toFixed(power ? 1 : 0)} ${["bytes", "kB", "MB", "GB", "TB"][power]}`;
}

function showFaults(sentences) {
  const items = sentences.slice(0, SHOWN_FAULTS).map((sentence) => {
    const item = document.createElement("li");
    item.textContent = sentence;
    return item;
  });
  document.getElementById("faults").replaceChildren(...items);
}

function choose(found) {
  chosen = found;
  const size = chosen.reduce((sum, each) => sum + each.file.size, 0);
  document.getElementById("chosen").textContent = chosen.length ? `${countOf(chosen.length)}, ${formatAmount(size)}` : "";
  const [top, ...inside] = chosen[0]?.path.split("/") ?? [""];
  document.getElementById("name").placeholder = (inside.length ? top : archiveParts(top)[0]) || "that of the folder";
}

/** Name and suffix of an archive. Another file has no suffix. */
function archiveParts(name) {
  const suffix = archives.find((each) => name.toLowerCase().endsWith(each)) ?? "";
  return [name.slice(0, name.length - suffix.length), name.slice(name.length - suffix.length)];
}

/** All files below an entry that was dropped. A reader of folders gives a part of them at a time. */
async function listEntry(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [{ file, path: entry.fullPath.replace(/^\//, "") }];
  }
  const reader = entry.createReader();
  const found = [];
  for (let some; (some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject))).length; )
    for (const each of some) found.push(...(await listEntry(each)));
  return found;
}

/** {file, key} of all files: their paths in the bucket. Throws a sentence. */
function nameFiles(to) {
  if (!chosen.length) throw new Refusal(0, "Choose files or a folder first.");
  if (to === "videos") return chosen.map(({ file, path }) => ({ file, key: path }));
  const given = document.getElementById("name").value.trim();
  const archive = chosen.length === 1 && !chosen[0].path.includes("/") && archiveParts(chosen[0].path);
  if (archive && archive[1]) return [{ file: chosen[0].file, key: (given || archive[0]) + archive[1] }];
  const tops = new Set(chosen.map(({ path }) => path.split("/")[0]));
  const whole = tops.size === 1 && chosen[0].path.includes("/");
  if (!given && !whole) throw new Refusal(0, "Give the dataset a name, or choose its folder.");
  const name = given || [...tops][0];
  return chosen.map(({ file, path }) => ({ file, key: `${name}/${whole ? path.slice(path.indexOf("/") + 1) : path}` }));
}

function readSettings(to) {
  const found = {};
  for (const input of form.querySelectorAll(`details[data-for="${to}"] [data-setting]`)) {
    if (input.type === "checkbox" ? input.checked : input.value.trim())
      found[input.name] = input.type === "checkbox" ? true : input.type === "number" ? Number(input.value) : input.value.trim();
  }
  return found;
}

/** The plans to store: one of a dataset, which replaces settings of its own, or one of each video. */
async function makePlans(to, named) {
  const settings = readSettings(to);
  if (!Object.keys(settings).length) return [];
  if (to === "videos") return named.map(({ key }) => ({ to, name: key, settings }));
  const [top, ...inside] = named[0].key.split("/");
  const name = inside.length ? top : archiveParts(top)[0];
  const own = named.find(({ key }) => key === `${name}/${form.dataset.plan}`);
  return [{ to, name, settings, own: own ? await own.file.text() : null }];
}

async function rankFiles(sender, to, named) {
  for (let start = 0; start < named.length; start += NAMES_AT_ONCE) {
    const some = named.slice(start, start + NAMES_AT_ONCE);
    const checked = await sender.askJson("POST", "/uploads/names", { to, names: some.map(({ key }) => key) });
    const faults = Object.values(checked.faults);
    showFaults(faults);
    if (faults.length) throw new Refusal(422, "These names cannot be uploaded. Nothing was sent.");
    some.forEach((each, index) => (each.rank = checked.ranks[index]));
  }
  return named.filter((each) => each.rank !== null);
}

/** Files first, then plans, then what completes a dataset: the inbox begins once it has the sheet. */
async function sendAll(sender, to, progress) {
  const named = nameFiles(to);
  const plans = await makePlans(to, named);
  const ranked = await rankFiles(sender, to, named);
  for (const plan of plans) await sender.askJson("POST", "/uploads/plan", { ...plan, check: true });
  const top = ranked[0]?.key.split("/")[0] ?? "";
  const again = document.getElementById("again").checked;
  const stored = again || !ranked.length ? new Map() : await sender.listStored(to === "videos" ? "" : top);
  const isThere = ({ file, key }) => stored.get(key)?.size === file.size && stored.get(key).stored > file.lastModified;
  const missing = ranked.filter((each) => !isThere(each));
  progress.begin(missing, ranked.length - missing.length);
  const replaced = new Set(to === "datasets" ? plans.map(({ name }) => `${name}/${form.dataset.plan}`) : []);
  const send = async (each) => {
    if (!replaced.has(each.key)) await sender.sendFile(each.file, each.key);
    progress.files += 1;
  };
  const sendPlans = async () => {
    for (const plan of plans) await sender.askJson("POST", "/uploads/plan", plan);
  };
  if (to === "videos") await sendPlans();
  await runAll(missing.filter(({ rank }) => rank === 0 || to === "videos"), FILES_AT_ONCE, send);
  if (to === "videos") return "";
  await runAll(missing.filter(({ rank }) => rank === 1), 1, send);
  await sendPlans();
  await runAll(missing.filter(({ rank }) => rank === 2), 1, send);
  return top.includes(".") ? archiveParts(top)[0] : top;
}

class Progress {
  constructor() {
    Object.assign(this, { bytes: 0, files: 0, total: 0, count: null, there: 0, trouble: "", started: performance.now() });
  }

  begin(missing, there) {
    this.total = missing.reduce((sum, each) => sum + each.file.size, 0);
    Object.assign(this, { bytes: 0, files: 0, count: missing.length, there });
  }

  show() {
    if (this.count === null && !this.trouble) return;
    document.querySelector("#progress progress").value = this.total ? Math.min(1, this.bytes / this.total) : 0;
    const rate = this.bytes / Math.max(1, (performance.now() - this.started) / 1000);
    const done = `${this.files.toLocaleString("en")} of ${countOf(this.count)}, ${formatAmount(this.bytes)} of ${formatAmount(this.total)}`;
    say(this.trouble || `${done}, ${formatAmount(rate)}/s`);
  }
}

async function start() {
  const to = target();
  const progress = new Progress();
  stopping = new AbortController();
  const sender = new Sender(to, Number(form.dataset.small), stopping.signal,
    (trouble) => (progress.trouble = trouble), (bytes) => (progress.bytes += bytes));
  document.getElementById("progress").hidden = false;
  showFaults([]);
  say("Looking at what is there.");
  setWorking(true);
  const clock = setInterval(() => progress.show(), 500);
  try {
    const dataset = await sendAll(sender, to, progress);
    progress.trouble = "";
    progress.show();
    const there = progress.there ? ` ${countOf(progress.there)} were there already.` : "";
    showEnd(`${countOf(progress.files)} sent.${there} `, to === "videos" ? "/videos" : `/datasets/${encodeURIComponent(dataset)}?sent=yes`);
  } catch (error) {
    if (stopping.signal.aborted) say("Paused. What was sent stays.");
    else if (error instanceof Refusal) say(`${error.message}`);
    else throw error;
  } finally {
    clearInterval(clock);
    stopping = null;
    setWorking(false);
    await refreshUnfinished();
  }
}

function showEnd(sentence, path) {
  const link = document.createElement("a");
  link.href = root + path;
  link.textContent = "See what becomes of it";
  document.getElementById("state").replaceChildren(sentence, link, ".");
}

async function refreshUnfinished() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" }).catch(() => null);
  if (!answer?.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("unfinished");
  const part = document.getElementById("unfinished");
  part.hidden = fresh.hidden;
  part.replaceChildren(...fresh.childNodes);
}

function setWorking(working) {
  pause.hidden = !working;
  form.querySelector(".main").textContent = working ? "Uploading" : "Upload or go on";
  for (const each of form.querySelectorAll("input, select, .main")) each.disabled = working;
}

function showTarget() {
  for (const part of form.querySelectorAll("[data-for]")) part.hidden = part.dataset.for !== target();
}

form.addEventListener("submit", (event) => (event.preventDefault(), start()));
form.addEventListener("change", showTarget);
pause.addEventListener("click", () => stopping?.abort());
files.addEventListener("change", () => choose([...files.files].map((file) => ({ file, path: file.name }))));
folder.addEventListener("change", () => choose([...folder.files].map((file) => ({ file, path: file.webkitRelativePath }))));
drop.addEventListener("dragover", (event) => (event.preventDefault(), drop.classList.add("over")));
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", async (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  const loose = [...event.dataTransfer.files].map((file) => ({ file, path: file.name }));
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
  choose(entries.length ? (await Promise.all(entries.map(listEntry))).flat() : loose);
});
addEventListener("beforeunload", (event) => stopping && event.preventDefault());
files.multiple = true;
for (const part of document.querySelectorAll(".scripted")) part.hidden = false;
showTarget();
