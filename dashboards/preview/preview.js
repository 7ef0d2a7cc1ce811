// Draws the dashboards as Grafana would, without a Grafana: asks a real Prometheus every query of the shipped JSON, hands
// the answers to Grafana's own components (src/) in a headless Chromium, and keeps a picture of each board.
//
//   npm ci --legacy-peer-deps --ignore-scripts
//   node preview.js --prometheus http://127.0.0.1:9090 --out ../../docs/boards [--board sextant-team] \
//     [--set team=payments] [--from 90d] [--to 2026-11-22T17:00:00Z] [--theme light]
import { execFileSync } from "node:child_process";
import { mkdtempSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { build } from "esbuild";

const WIDTH = 1480;
// Grafana's grid: a row of it is 30 pixels, with 8 between two.
const CELL = 38;
const HEADER = 96;
const CHROMIUM = process.env.CHROMIUM ?? "chromium";

const { values: args } = parseArgs({
  options: {
    prometheus: { type: "string", default: "http://127.0.0.1:9090" },
    out: { type: "string", default: "out" },
    board: { type: "string", multiple: true },
    set: { type: "string", multiple: true, default: [] },
    from: { type: "string" },
    to: { type: "string" },
    theme: { type: "string", default: "light" },
    keep: { type: "boolean", default: false },
  },
});

const UNITS = { s: 1, m: 60, h: 3600, d: 86400 };
const seconds = (span) => {
  const [, number, unit] = span.match(/^(?:now-)?(\d+)([smhd])$/);
  return Number(number) * UNITS[unit];
};

async function ask(path, parameters) {
  const url = `${args.prometheus}/api/v1/${path}?${new URLSearchParams(parameters)}`;
  const answer = await (await fetch(url)).json();
  if (answer.status !== "success") throw new Error(`${url}: ${answer.error}`);
  return answer.data;
}

// Values of the variables, chosen in order: all, or what --set says, or the default, or the first.
async function choose(board, range) {
  const set = Object.fromEntries(args.set.map((pair) => pair.split(/=(.*)/s)));
  const chosen = {};
  for (const variable of board.templating.list) {
    if (variable.type !== "query") {
      chosen[variable.name] = { value: variable.type === "constant" ? variable.query : "Prometheus" };
      continue;
    }
    const [, selector, label] = fill(variable.query.query, chosen, {}).match(/^label_values\((.*), (\w+)\)$/);
    const times = { start: range.from, end: range.to };
    const values = await ask(`label/${label}/values`, { "match[]": selector, ...times });
    if (values.length === 0) throw new Error(`${board.uid}: no values for $${variable.name}`);
    const wished = set[variable.name] ?? variable.current.value;
    chosen[variable.name] = variable.multi
      ? { value: variable.allValue, text: "All" }
      : { value: values.includes(wished) ? wished : values[0] };
  }
  return chosen;
}

function fill(text, chosen, own) {
  const known = { ...Object.fromEntries(Object.entries(chosen).map(([name, { value }]) => [name, value])), ...own };
  return text.replace(/\$\{?(\w+)(?::\w+)?\}?/g, (whole, name) => known[name] ?? whole);
}

// A step of about a point for every two pixels, as Grafana takes it, on the full steps of the range.
function stepOf(panel, range) {
  const least = panel.interval === "1h" ? 3600 : 15;
  const wished = (range.to - range.from) / 800;
  const steps = [15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400];
  return Math.max(least, steps.find((step) => step >= wished) ?? 86400);
}

async function answer(target, panel, chosen, range) {
  const step = stepOf(panel, range);
  const own = { __range_s: range.to - range.from, __rate_interval: `${Math.max(60, step * 4)}s` };
  const query = fill(target.expr, chosen, own);
  if (target.instant) return (await ask("query", { query, time: range.to })).result;
  const start = Math.ceil(range.from / step) * step;
  return (await ask("query_range", { query, start, end: range.to, step })).result;
}

async function load(file) {
  const board = JSON.parse(readFileSync(file));
  const to = args.to ? Date.parse(args.to) / 1000 : Math.floor(Date.now() / 1000);
  const range = { from: to - seconds(args.from ?? board.time.from), to };
  const chosen = await choose(board, range);
  const [answers, steps] = [{}, {}];
  for (const panel of board.panels.filter((panel) => panel.type !== "row")) {
    steps[panel.id] = stepOf(panel, range);
    answers[panel.id] = await Promise.all(panel.targets.map((target) => answer(target, panel, chosen, range)));
  }
  const annotations = await Promise.all(
    board.annotations.list.filter(({ enable }) => enable).map(async (annotation) => ({
      annotation,
      result: await answer(annotation, { interval: "1h" }, chosen, range),
      step: 3600,
    })),
  );
  return { board, chosen, range, answers, steps, annotations, theme: args.theme };
}

function draw(page, height, picture) {
  execFileSync(
    CHROMIUM,
    [
      "--headless=new",
      "--no-sandbox",
      "--disable-gpu",
      "--hide-scrollbars",
      "--lang=en-US",
      "--force-device-scale-factor=1",
      `--window-size=${WIDTH},${height}`,
      "--virtual-time-budget=20000",
      "--allow-file-access-from-files",
      `--screenshot=${picture}`,
      `file://${page}`,
    ],
    { stdio: ["ignore", "inherit", "pipe"], env: { ...process.env, LANG: "en_US.UTF-8", TZ: "UTC" } },
  );
}

const folder = mkdtempSync(join(tmpdir(), "preview-"));
mkdirSync(args.out, { recursive: true });
await build({
  entryPoints: [new URL("src/main.jsx", import.meta.url).pathname],
  outfile: join(folder, "preview.js"),
  bundle: true,
  minify: true,
  jsx: "automatic",
  define: { "process.env.NODE_ENV": '"production"', global: "window" },
  loader: { ".ttf": "dataurl", ".woff": "dataurl", ".woff2": "dataurl", ".svg": "dataurl", ".png": "dataurl" },
  logLevel: "error",
});
const files = readdirSync(new URL("..", import.meta.url)).filter((file) => file.endsWith(".json"));
for (const file of files.sort()) {
  const uid = file.replace(".json", "");
  if (args.board && !args.board.includes(uid)) continue;
  const loaded = await load(new URL(`../${file}`, import.meta.url));
  const rows = Math.max(...loaded.board.panels.map(({ gridPos }) => gridPos.y + gridPos.h));
  const page = join(folder, `${uid}.html`);
  // `<` would end the script early.
  const data = JSON.stringify(loaded).replaceAll("<", "\\u003c");
  writeFileSync(
    page,
    `<!doctype html><html lang="en"><meta charset="utf-8"><link rel="stylesheet" href="preview.css"><body><div id="root"></div>
     <script>window.preview = ${data}</script><script src="preview.js"></script></body></html>`,
  );
  draw(page, rows * CELL + HEADER, resolve(args.out, `${uid}.png`));
  console.log(`${uid}: ${loaded.board.panels.length} panels`);
}
if (args.keep) console.log(folder);
else rmSync(folder, { recursive: true });
