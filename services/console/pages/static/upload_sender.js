// Sends files to the console: a small one at once, a large one in parts. What fails for a moment is sent again.
const PARTS_AT_ONCE = 3;
const WAITS = [1, 2, 4, 8, 15, 30]; // seconds before another attempt
const root = document.body.dataset.root;

/** The console refused a request. The message is its sentence. */
export class Refusal extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

/** Do `work` on all items, so many at once. The first error stops the others. */
export async function runAll(items, atOnce, work) {
  const waiting = [...items];
  const worker = async () => {
    while (waiting.length) await work(waiting.shift()).catch((error) => {
      waiting.length = 0;
      throw error;
    });
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

function wait(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), { once: true });
  });
}

async function describeRefusal(answer) {
  if (answer.status === 401) return "Log in again in another tab. Then go on.";
  try {
    return (await answer.json()).detail;
  } catch {
    return `The console answered with status ${answer.status}.`;
  }
}

/** One upload of many files. `report` gets a sentence while there is no connection, and "" when there is one again. */
export class Sender {
  constructor(to, smallBytes, signal, report, addBytes) {
    Object.assign(this, { to, smallBytes, signal, report, addBytes });
  }

  /** The answer. Raises Refusal, or what `signal` says. Without a connection it goes on trying. */
  async ask(method, path, body, type = "application/json") {
    for (let attempt = 0; ; attempt++) {
      try {
        const headers = { Accept: "application/json", ...(body === undefined ? {} : { "Content-Type": type }) };
        const answer = await fetch(root + path, { method, body, headers, signal: this.signal, cache: "no-store" });
        if (answer.ok) {
          this.report("");
          return answer;
        }
        const sentence = await describeRefusal(answer);
        if (answer.status < 500 && answer.status !== 408) throw new Refusal(answer.status, sentence);
        this.report(`${sentence} Trying again.`);
      } catch (error) {
        this.signal.throwIfAborted();
        if (error instanceof Refusal) throw error;
        this.report("No connection to the console. Trying again.");
      }
      await wait(WAITS[Math.min(attempt, WAITS.length - 1)], this.signal);
    }
  }

  async askJson(method, path, body) {
    const answer = await this.ask(method, path, body === undefined ? undefined : JSON.stringify(body));
    return answer.status === 204 ? null : answer.json();
  }

  /** Size and time (in milliseconds) of every file whose path begins with `below`, by its name. */
  async listStored(below) {
    const answer = await this.ask("GET", `/uploads/stored/${this.to}?below=${encodeURIComponent(below)}`);
    const lines = (await answer.text()).split("\n").filter(Boolean).map((line) => JSON.parse(line));
    return new Map(lines.map((line) => [line.name, { size: line.size, stored: line.stored * 1000 }]));
  }

  async sendFile(file, name) {
    if (file.size > this.smallBytes) return this.sendParts(file, name);
    const path = name.split("/").map(encodeURIComponent).join("/");
    await this.ask("PUT", `/uploads/stored/${this.to}/${path}`, file, "application/octet-stream");
    this.addBytes(file.size);
  }

  /** The console says which parts it has, so an upload goes on after a reload or a lost connection. */
  async sendParts(file, name) {
    const wanted = { to: this.to, name, size: file.size, modified: file.lastModified };
    const upload = await this.askJson("POST", "/uploads", wanted);
    this.addBytes(upload.stored);
    const count = Math.ceil(file.size / upload.part_bytes);
    const there = new Set(upload.parts);
    const missing = Array.from({ length: count }, (_, index) => index + 1).filter((number) => !there.has(number));
    await runAll(missing, PARTS_AT_ONCE, async (number) => {
      const part = file.slice((number - 1) * upload.part_bytes, number * upload.part_bytes);
      await this.ask("PUT", `${upload.url}/parts/${number}`, part, "application/octet-stream");
      this.addBytes(part.size);
    });
    await this.askJson("POST", `${upload.url}/finish`);
  }
}
