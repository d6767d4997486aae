"use strict";

const EVERY_MS = 1000, PICTURES_EVERY_MS = 5000, KEPT_S = 600, ANSWER_WITHIN_MS = 5000;
const $ = (id) => document.getElementById(id);
const TOKEN = "feedline-token";

// What was shown last, and the points of the chart: seconds, made, wanted.
let view = null;
let points = [[], [], []];
let sorted = { key: "name", down: false };
let chart = null;
let showsPictures = false;
// Of bad files, by job and number: a bitmap, or null where there is nothing to see.
let thumbnails = new Map();

// --- asking -------------------------------------------------------------------------------------

function headers() {
  const token = sessionStorage.getItem(TOKEN);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

function ask(path, options = {}) {
  const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
  return fetch(path, { ...options, signal, headers: { ...headers(), ...options.headers } });
}

async function look() {
  try {
    const last = points[0].at(-1);
    const answer = await ask(last === undefined ? "/api/view" : `/api/view?since=${last}`);
    if (answer.status === 401) {
      say("link", "the token is needed");
      $("token-form").hidden = false;
      return;
    }
    const body = await answer.json();
    if (!answer.ok) throw new Error(body.error);
    if (view && body.pool !== view.pool) { // the training was started anew
      points = [[], [], []];
      thumbnails = new Map();
      $("pictures").replaceChildren();
      body.history = []; // what came after the other's last point; all of it comes next
    }
    view = body;
    takePoints();
    say("link", "live");
    show();
  } catch (error) {
    const why = error instanceof SyntaxError || error instanceof TypeError || error.name === "TimeoutError";
    say("link", why ? "no answer: the training has ended, or is not reached; trying again" : error.message);
  }
}

async function watch() {
  for (;;) {
    if (!document.hidden) await look();
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}

// --- words and numbers ----------------------------------------------------------------------------

function say(id, text) {
  const node = $(id);
  if (node.textContent !== text) node.textContent = text;
}

const whole = (value) => value.toLocaleString("en", { maximumFractionDigits: 0 });
const short = (value) => value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 2 : value < 100 ? 1 : 0 });
const orDash = (value, form = whole) => (value === null || value === undefined ? "–" : form(value));
const percent = (share) => `${Math.round(100 * share)} %`;
const megabytes = (bytes) => `${whole(bytes / 1e6)} MB`;

function duration(seconds) {
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

const ago = (seconds) => (seconds < 60 ? `${Math.round(seconds)} s ago` : `${duration(60 * Math.floor(seconds / 60)).replace(" 0 s", "")} ago`);

// --- the page -------------------------------------------------------------------------------------

function show() {
  showVerdict();
  showChart();
  showBars("stages", Object.entries(view.step_ms), short);
  showBars("slots", Object.entries(view.slots), whole);
  showJobs();
  showProducers();
  showEvents();
  showBad();
}

function showVerdict() {
  const { bound, sentence, is_bad } = view.verdict;
  $("verdict").className = `verdict ${is_bad ? "bad" : bound === "warming up" ? "unknown" : ""}`;
  // Numbers change each second: who listens is told when something else is the matter.
  if ($("bound").textContent !== bound) say("spoken", `${bound}: ${sentence}`);
  say("bound", bound);
  say("sentence", sentence.charAt(0).toUpperCase() + sentence.slice(1) + ".");
  say("made", whole(view.rates.made));
  say("wanted", orDash(view.rates.wanted));
  say("waits", percent(view.rates.wait_share));
  say("num-producers", whole(view.producers.length));
  say("num-wanted", orDash(view.num_wanted));
  say("num-ready", whole(view.jobs.reduce((sum, job) => sum + job.ready, 0)));
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function makeChart() {
  if (chart) chart.destroy();
  const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
  const minutes = (_, splits) => splits.map((s) => (s === 0 ? "now" : `${Math.round(s / 60)} min`));
  chart = new uPlot({
    width: $("chart").clientWidth, height: 200, legend: { show: false }, cursor: { show: false },
    scales: { x: { time: false, range: [-KEPT_S, 0] }, y: { range: (_, __, most) => [0, Math.max(1, 1.1 * most)] } },
    axes: [{ ...axis, splits: () => [-600, -480, -360, -240, -120, 0], values: minutes }, { ...axis, size: 64 }],
    series: [{}, { stroke: colour("--made"), width: 2, points: { show: false } },
             { stroke: colour("--wanted"), width: 2, dash: [6, 4], points: { show: false } }],
  }, [[], [], []], $("chart"));
}

function takePoints() {
  for (const point of view.history) point.forEach((value, nth) => points[nth].push(value));
  while (points[0].length && view.at_s - points[0][0] > KEPT_S) points.forEach((column) => column.shift());
}

function showChart() {
  if (!chart) makeChart();
  chart.setData([points[0].map((s) => s - view.at_s), points[1], points[2]]);
  const wanted = view.rates.wanted === null ? "not known" : whole(view.rates.wanted);
  const label = `Images per second over the last ten minutes: now ${whole(view.rates.made)} made, ${wanted} wanted`;
  $("chart").setAttribute("aria-label", label);
}

// The rows of a table, made as few times as can be: what is scrolled or selected stays.
function rows(id, list, make) {
  const body = $(id).tBodies ? $(id).tBodies[0] : $(id);
  while (body.children.length > list.length) body.lastElementChild.remove();
  list.forEach((item, nth) => {
    const made = make(item);
    const old = body.children[nth];
    if (!old) body.append(made);
    else if (!old.isEqualNode(made)) old.replaceWith(made);
  });
}

function element(tag, text = "", name = "") {
  const made = document.createElement(tag);
  if (text !== "") made.textContent = text;
  if (name) made.className = name;
  return made;
}

function row(...cells) {
  const made = element("tr");
  made.append(...cells);
  return made;
}

function head(text) {
  const made = element("th", text);
  made.scope = "row";
  return made;
}

const number = (text) => element("td", text, "number");

function showBars(id, entries, form) {
  const most = Math.max(1e-9, ...entries.map(([, value]) => value));
  rows(id, entries, ([name, value]) => {
    const cell = element("td", "", "meter"), bar = element("div", "", "bar");
    bar.style.width = `${(100 * value) / most}%`;
    cell.append(bar);
    return row(head(name), number(form(value)), cell);
  });
}

function showJobs() {
  rows("jobs", view.jobs, (job) => {
    const cell = element("td"), bar = element("progress");
    bar.max = job.num_steps;
    bar.value = job.step;
    bar.setAttribute("aria-label", `${percent(job.step / job.num_steps)} of epoch ${job.epoch}`);
    cell.append(bar);
    const ends = job.is_resting ? "rests" : orDash(job.eta_s, duration);
    return row(head(job.name), number(whole(job.epoch)), number(`${whole(job.step)} of ${whole(job.num_steps)}`), cell,
      number(short(job.steps_per_s)), number(ends), number(whole(job.ready)), number(whole(job.in_work)), number(whole(job.num_bad)));
  });
}

function showProducers() {
  const slow = view.producers.filter((one) => one.is_straggler).length;
  const unable = view.producers.filter((one) => !one.is_able).length;
  const trouble = (slow ? `, ${slow} slow` : "") + (unable ? `, ${unable} cannot read` : "");
  say("producers-title", `Producers: ${view.producers.length}${trouble}`);
  $("scale-form").hidden = !view.can_scale;
  if (view.can_scale && $("workers").value === "" && view.num_asked) $("workers").value = view.num_asked;
  const collator = new Intl.Collator("en", { numeric: true });
  const list = [...view.producers].sort((a, b) => {
    const [x, y] = [a[sorted.key] ?? -1, b[sorted.key] ?? -1];
    const order = typeof x === "string" ? collator.compare(x, y) : x - y;
    return (sorted.down ? -order : order) || collator.compare(a.name, b.name);
  });
  rows("producers", list, (one) => row(head(one.name), element("td", one.host), number(short(one.images_per_s)),
    number(percent(one.busy_share)), number(whole(one.in_flight)), number(whole(one.failures)),
    number(orDash(one.memory_bytes, megabytes)), stateOf(one)));
}

function stateOf(one) {
  const cell = element("td", "", "break");
  if (!one.is_able) cell.append(element("span", "cannot read", "tag bad"));
  else if (one.is_straggler) cell.append(element("span", "slow", "tag bad"));
  else cell.append(element("span", "ok", "tag"));
  if (one.doing && one.is_straggler) cell.append(` ${one.doing}`);
  if (one.last_error) cell.append(element("span", one.last_error, "error"));
  return cell;
}

function showEvents() {
  rows("events", view.events, (event) => {
    const made = element("li");
    const is_bad = event.kind === "died" || event.kind === "note";
    const kind = element("span");
    kind.append(element("span", event.kind, is_bad ? "tag bad" : "tag"));
    made.append(element("span", ago(event.ago_s), "quiet"), kind, element("span", event.text));
    return made;
  });
}

function showBad() {
  say("bad-title", view.num_bad ? `Bad samples: ${whole(view.num_bad)}` : "Bad samples");
  $("bad").hidden = !view.bad.length;
  $("no-bad").hidden = view.bad.length > 0;
  rows("bad", view.bad, (one) => {
    const file = head(one.path);
    file.className = "break";
    return row(thumbnail(one), file, element("td", one.reason, "break"), number(`${one.epoch}, ${one.step}`));
  });
  // Rows are made anew each second, and most of them thrown away: only those that stay are painted.
  for (const canvas of document.querySelectorAll("#bad canvas")) {
    if (canvas.isPainted) continue;
    canvas.isPainted = true;
    canvas.getContext("2d").drawImage(thumbnails.get(canvas.dataset.of), 0, 0);
  }
}

const keyOf = (one) => `${one.job}/${one.number}`;

function thumbnail(one) {
  const cell = element("td"), bitmap = thumbnails.get(keyOf(one));
  const shown = element(bitmap ? "canvas" : "div", "", "thumbnail");
  shown.dataset.of = keyOf(one);
  if (bitmap) {
    [shown.width, shown.height] = [bitmap.width, bitmap.height];
    shown.setAttribute("role", "img");
    shown.setAttribute("aria-label", "what can be seen of it");
  } else if (bitmap === null) {
    shown.append(element("span", "no picture", "quiet"));
  }
  cell.append(shown);
  return cell;
}

// --- what can be done -----------------------------------------------------------------------------

document.querySelectorAll("th button").forEach((button) => button.addEventListener("click", () => {
  const key = button.dataset.key;
  sorted = { key, down: sorted.key === key ? !sorted.down : !["name", "host"].includes(key) };
  document.querySelectorAll("#producers th[aria-sort]").forEach((cell) => cell.setAttribute("aria-sort", "none"));
  button.parentElement.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
  if (view) showProducers();
}));

$("token-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  sessionStorage.setItem(TOKEN, $("token").value);
  $("token").value = "";
  const answer = await ask("/api/view");
  say("token-answer", answer.status === 401 ? "That is not the token." : "");
  $("token-form").hidden = answer.status !== 401;
});

$("scale-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = JSON.stringify({ producers: Number($("workers").value) });
  try {
    const answer = await ask("/api/scale", { method: "POST", body, headers: { "Content-Type": "application/json" } });
    if (answer.status === 401) $("token-form").hidden = false;
    say("scale-answer", answer.ok ? "Asked for." : (await answer.json()).error);
  } catch {
    say("scale-answer", "No answer.");
  }
});

$("show-batch").addEventListener("click", () => {
  showsPictures = !showsPictures;
  $("show-batch").setAttribute("aria-expanded", String(showsPictures));
  say("show-batch", showsPictures ? "Hide pictures" : "Show pictures");
  if (!showsPictures) $("pictures").replaceChildren();
});

async function picture(job) {
  const answer = await ask(`/api/pictures/${job.job}.png`);
  if (answer.status !== 200) return;
  // Not as an address: those carry no token, and the page may load nothing that is not the server's.
  const bitmap = await createImageBitmap(await answer.blob());
  let figure = $(`picture-${job.job}`);
  if (!figure) {
    figure = element("figure");
    figure.id = `picture-${job.job}`;
    figure.append(element("canvas"), element("figcaption"));
    $("pictures").append(figure);
  }
  const [canvas, caption] = figure.children;
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  caption.textContent = `first images of a batch of ${job.name}`;
}

async function watchPictures() {
  for (let nth = 0; ; nth += 1) {
    const jobs = showsPictures && view && !document.hidden ? view.jobs.filter((job) => !job.is_resting) : [];
    // One that was asked for is there with the next batch.
    await Promise.all(jobs.map((job) => picture(job).catch(() => undefined)));
    const is_there = $("pictures").children.length > 0;
    await new Promise((resolve) => setTimeout(resolve, is_there ? PICTURES_EVERY_MS : EVERY_MS / 4));
  }
}

// Whether there is something new to show; none of those that were asked for is asked for again.
async function nextThumbnail() {
  const listed = new Set(view.bad.map(keyOf)), known = thumbnails;
  for (const key of known.keys()) if (!listed.has(key)) known.delete(key);
  const key = [...listed].find((one) => !known.has(one));
  if (key === undefined) return false;
  const answer = await ask(`/api/bad/${key}.png`);
  if (answer.status === 200) known.set(key, await createImageBitmap(await answer.blob()));
  else if (answer.status === 204 || answer.status === 404) known.set(key, null);
  else return false;
  return true;
}

async function watchThumbnails() {
  for (;;) {
    // One after the other: each is made when it is asked for.
    while (view && !document.hidden && await nextThumbnail().catch(() => false)) showBad();
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS / 2));
  }
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  makeChart();
  if (view) showChart();
});
new ResizeObserver(() => chart && chart.setSize({ width: $("chart").clientWidth, height: 200 })).observe($("chart"));
watch();
watchPictures();
watchThumbnails();
