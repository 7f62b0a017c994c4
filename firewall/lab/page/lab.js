// The lab's page: what is open, its rules, its steps, and the link that opens the same again.
import * as api from "./api.js";
import { mountEditor } from "./editor.js";
import { asking, captureHead, lessonFoot, lessonHead, lessonParts, showTask } from "./lesson.js";
import { mountStepper } from "./stepper.js";
import { button, element, fill, packed, unpacked } from "./words.js";

const MOST_ASKED = 1000; // rows in which the packets of questions are looked for
const SESSION = /^[0-9a-f]{16}$/;
const NONE = "0"; // no session is called so: the lab says what that means
const at = (id) => document.getElementById(id);

let begun; // what the lab said at first: texts, what to show, how large a capture may be
let lang = "en";
let place = {}; // what is open: {lesson, scene, task} or {capture} or {open: session}, and the step
let lesson = null;
let session = null; // {id, title, first: the first rules, told: the last answer, notes, questions, stopped: predicting}
let stepper = null;
let changed = [];
let serial = 0; // of what was asked for last: older answers are dropped
let typed = 0;
let judging = null; // what aborts the request of rules that is under way
let remembering = 0;
let patience = 0;
const drafts = new Map(); // a learner's rules for tasks, by lesson

const t = (key) => begun.texts[lang][key];
const words = () => ({ t, lang });

// --- the editor and its status --------------------------------------------------------------------------------
const editor = mountEditor(at("editor"), t, (text) => judge(text));
const judged = element("span", { id: "rules-status", role: "status" });
const moves = element("span", { class: "moves" });
const stopped = element("p", { class: "quiet", id: "predict-stopped", role: "status" });
const restore = element("button", { type: "button", class: "button", id: "restore" });
restore.addEventListener("click", () => { editor.set(session.first); judge(session.first); });
at("editor").before(element("p", { class: "quiet", id: "rules-about" }), element("p", { class: "judged" }, judged, moves), stopped);
at("editor").after(element("p", {}, restore));

async function judge(text) {
  const [mine, from] = [typed += 1, session];
  judged.textContent = t("judging");
  if (place.task) drafts.set(place.lesson, text);
  remember();
  judging?.abort();
  judging = new AbortController();
  const { signal } = judging;
  const found = await asked(() => api.judge(from.id, text, signal), () => open({ ...place, rules: text }));
  if (mine !== typed || from !== session) return;
  if (found) show(found);
  else tell();
}

// What the lab said to a set of rules.
function show(found) {
  editor.show(found.errors ?? []);
  session.told = found;
  if (found.scene) {
    changed = found.changed;
    session.notes = found.scene.notes;
    foot();
    steps(found);
  }
  tell();
}

function tell() {
  const { errors } = session.told;
  const count = errors ? errors.length : changed.length;
  const key = errors ? (count === 1 ? "one_problem" : "some_problems") : ["none_changed", "one_changed"][count] ?? "some_changed";
  const edited = editor.text !== session.first;
  const told = errors || (edited && !stepper?.predicting); // what changed is part of what is predicted
  judged.textContent = told ? fill(t(key), { count }) : "";
  judged.className = errors ? "word DENY" : count ? "word" : "quiet";
  stopped.textContent = session.stopped && !stepper?.predicting ? t("predict_stopped") : "";
  const jump = (label, sign, next) => button(sign, () => stepper.go(next()), { "aria-label": label, title: label });
  moves.replaceChildren(...(count && told && !errors ? [
    jump(t("previous_change"), "‹", () => changed.findLast((n) => n < place.step) ?? changed.at(-1)),
    jump(t("next_change"), "›", () => changed.find((n) => n > place.step) ?? changed[0]),
  ] : []));
  restore.disabled = !edited;
  at("no-steps").hidden = stepper !== null;
}

// --- the steps --------------------------------------------------------------------------------------------------
function steps(found) {
  const source = api.source(session.id, found.scene, found.rows);
  const edited = editor.text !== session.first;
  // What a question explains holds for the first rules alone.
  session.questions.splice(0, Infinity, ...(edited ? [] : session.asked));
  if (stepper) {
    session.stopped = edited && (session.stopped || stepper.predicting);
    stepper.refresh(source, changed);
    return;
  }
  const predict = session.questions.length > 0 && session.questions.every(({ n }) => place.step <= n);
  stepper = mountStepper(at("stepper"), source, {
    lang, predict, step: place.step, questions: session.asked.length ? session.questions : null,
    onStep: stepped, onPredict: () => { if (stepper) tell(); },
  });
  if (changed.length) stepper.refresh(source, changed);
}

function stepped(n) {
  if (place.step === 1 && at("story")) at("story").open = false; // then the packet and its question have its room
  place.step = n;
  remember();
}

// --- opening ----------------------------------------------------------------------------------------------------
// The lab's answer, or null after its error was shown; `again` opens anew what was closed for others, where it can.
async function asked(ask, again = null) {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof api.LabError)) throw error;
    if (error.status === api.SUPERSEDED) return null;
    if (error.status === 404 && again && !place.open) await again();
    else message(error.told ?? t("gone"));
    return null;
  }
}

function message(text, kind = "") {
  at("message").hidden = text === "";
  at("message").className = `message ${kind}`;
  at("message").firstElementChild.textContent = text;
}

// Open what `wanted` says: a lesson's scene or task, the command's capture, or a session that is open already.
async function open(wanted) {
  const mine = (serial += 1);
  message("");
  status(t("opening"));
  const told = wanted.lesson ? await asked(() => api.lesson(wanted.lesson)) : null;
  const found = wanted.lesson && !told ? null : await asked(() => ask(wanted));
  if (mine !== serial) return;
  status("");
  if (found) await enter(wanted, told, found);
  else if (!session) showList(true);
}

function ask(wanted) {
  if (wanted.open) return api.session(wanted.open);
  if (wanted.capture) return api.open({ capture: true });
  return api.open({ lesson: wanted.lesson, scene: wanted.scene, task: wanted.task });
}

async function enter(wanted, told, found) {
  stepper?.destroy();
  stepper = null;
  at("stepper").replaceChildren();
  changed = [];
  lesson = told;
  place = { ...wanted, step: wanted.step ?? (lesson ? 1 : (found.scene?.first ?? 1)) };
  session = { id: found.id, title: found.title, first: found.first, told: found, notes: [], questions: [], stopped: false, asked: await questions(found) };
  const rules = wanted.rules ?? (wanted.task ? drafts.get(wanted.lesson) : null) ?? found.rules;
  editor.set(found.rules);
  at("work").hidden = false;
  beside(lesson && !place.task ? "states" : "rules");
  around();
  show(found);
  if (rules !== found.rules) { // they may have mistakes: then the steps are those of the others
    editor.set(rules);
    await judge(rules);
  }
  remember();
}

// The scene's questions at their steps, by the first rules.
async function questions(found) {
  const given = lesson && !place.task ? lesson.scenes[place.scene - 1].questions : [];
  if (!given.length || !found.scene) return [];
  const rows = found.scene.rows <= found.rows.length ? found.rows : await api.source(found.id, found.scene, []).rows(1, MOST_ASKED);
  return asking(given, rows, found.scene.readings);
}

// Everything but the steps, in the language that is chosen.
function around() {
  const scene = lesson?.scenes[place.scene - 1];
  const heading = at("about");
  if (lesson) lessonHead(heading, lesson, place, words());
  else captureHead(heading, session.title, words());
  lessonParts(at("parts"), lesson, place, { ...words(), go: (part) => open({ lesson: lesson.name, ...part }) });
  at("task").hidden = !place.task;
  if (place.task) showTask(at("task"), lesson, { ...words(), grade: graded });
  foot();
  const [file, ...others] = scene && !place.task ? scene.rules : [];
  editor.label(t("rules"));
  at("rules-about").textContent = [
    place.task ? t("task_rules") : file ? fill(t("rules_file"), { file }) : t("rules_label"),
    others.length ? fill(t("rules_others"), { files: others.join(", ") }) : "",
  ].filter(Boolean).join(". ");
  listing();
}

function foot() {
  lessonFoot(at("after"), lesson, place.task ? null : lesson?.scenes[place.scene - 1], session.notes, words());
}

async function graded() {
  const found = await asked(() => api.grade(session.id, editor.text));
  if (found?.errors) {
    editor.show(found.errors);
    session.told = { errors: found.errors };
    tell();
    return null;
  }
  if (found?.passed) finished(lesson.name);
  return found;
}

async function upload(file) {
  if (file.size > begun.most) return message(fill(t("too_large"), { size: begun.most_text }));
  const mine = (serial += 1);
  message("");
  status(t("opening"));
  const found = await asked(() => api.upload(file));
  if (mine !== serial) return;
  status("");
  if (found) await enter({ open: found.id }, null, found);
}

// --- the list ----------------------------------------------------------------------------------------------------
const DONE = "eniwall-done";
const kept = () => JSON.parse(sessionStorage.getItem(DONE) ?? "[]");
function finished(name) {
  sessionStorage.setItem(DONE, JSON.stringify([...new Set([...kept(), name])]));
  listing();
}

function listing() {
  const done = kept();
  at("lessons").replaceChildren(...begun.lessons.map((each) => {
    const here = place.lesson === each.name;
    const text = [`${each.title[lang]}`, done.includes(each.name) ? element("span", { class: "quiet" }, ` ✓ ${t("done")}`) : null];
    const choose = button("", () => { showList(false); open({ lesson: each.name, scene: 1, task: false }); },
      { class: "entry", "aria-current": here ? "page" : null });
    choose.replaceChildren(element("span", { class: "count" }, String(each.number)), element("span", {}, ...text.filter(Boolean)));
    return element("li", {}, choose);
  }));
}

// --- language, type, link -----------------------------------------------------------------------------------------
function translate() {
  document.documentElement.lang = lang;
  document.title = t("title");
  for (const each of document.querySelectorAll("[data-t]")) each.textContent = t(each.dataset.t);
  for (const each of document.querySelectorAll("[data-label]")) each.setAttribute("aria-label", t(each.dataset.label));
  at("choose-note").textContent = fill(t("choose_note"), { size: begun.most_text });
  restore.textContent = t("restore");
  at("language").value = lang;
  listing();
}

function speak(language) {
  lang = Object.hasOwn(begun.texts, language) ? language : "en";
  translate();
  if (!session) return;
  around();
  tell();
  stepper?.setLang(lang);
  remember();
}

// What is being done: said at once, shown where it takes its time.
function status(text) {
  clearTimeout(patience);
  at("status").textContent = text;
  document.body.classList.toggle("busy", text !== "");
  if (text) patience = setTimeout(() => message(text, "info"), 500);
  else if (at("message").classList.contains("info")) message("");
}

// The address that opens the same again: #lesson=NAME&scene=1&step=3&lang=ko&rules=... It follows once the stepping
// pauses: browsers bound how often it may change.
function remember() {
  clearTimeout(remembering);
  remembering = setTimeout(rememberNow, 300);
}

function rememberNow() {
  clearTimeout(remembering);
  if (!session) return;
  const parts = new URLSearchParams();
  if (place.lesson) {
    parts.set("lesson", place.lesson);
    parts.set("scene", place.scene);
    if (place.task) parts.set("task", "1");
  } else if (place.capture) parts.set("capture", "1");
  else parts.set("open", session.id);
  parts.set("step", place.step);
  parts.set("lang", lang);
  if (editor.text !== session.first) parts.set("rules", packed(editor.text));
  history.replaceState(null, "", `#${parts}`);
}

function wantedBy(hash) {
  const parts = new URLSearchParams(hash.slice(1));
  const number = (name) => (/^[1-9]\d{0,8}$/.test(parts.get(name) ?? "") ? Number(parts.get(name)) : 1);
  const rules = parts.has("rules") ? unpacked(parts.get("rules")) : null;
  const shared = { step: parts.has("step") ? number("step") : null, rules };
  if (parts.has("lang")) lang = Object.hasOwn(begun.texts, parts.get("lang")) ? parts.get("lang") : lang;
  if (parts.has("lesson")) return { lesson: parts.get("lesson"), scene: number("scene"), task: parts.has("task"), ...shared };
  if (parts.has("open")) return { open: SESSION.test(parts.get("open")) ? parts.get("open") : NONE, ...shared };
  if (parts.has("capture") || begun.capture) return { capture: true, ...shared };
  return begun.lesson ? { lesson: begun.lesson, scene: 1, task: false, ...shared } : null;
}

function showList(shown) {
  at("list").hidden = !shown;
  at("menu").setAttribute("aria-expanded", String(shown));
}

// What stands beside the steps where there is no room for both: "states" or "rules".
function beside(side) {
  at("bench").dataset.side = side;
  for (const each of document.querySelectorAll(".side-choice button")) each.setAttribute("aria-pressed", String(each.dataset.side === side));
}

function listen() {
  at("menu").addEventListener("click", () => showList(at("list").hidden));
  for (const each of document.querySelectorAll(".side-choice button")) each.addEventListener("click", () => beside(each.dataset.side));
  at("language").addEventListener("change", (event) => speak(event.target.value));
  at("link").addEventListener("click", async () => {
    rememberNow();
    const done = await navigator.clipboard?.writeText(location.href).then(() => true, () => false);
    message(t(done ? "link_copied" : "link_shown"), "info");
  });
  at("message").lastElementChild.addEventListener("click", () => message(""));
  at("file").addEventListener("change", (event) => {
    const [file] = event.target.files;
    event.target.value = "";
    showList(false);
    if (file) upload(file);
  });
  at("given").hidden = !begun.capture;
  at("given").addEventListener("click", () => { showList(false); open({ capture: true }); });
  addEventListener("dragover", (event) => { event.preventDefault(); at("drop").classList.add("over"); });
  addEventListener("dragleave", () => at("drop").classList.remove("over"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    at("drop").classList.remove("over");
    const [file] = event.dataTransfer.files;
    if (file) upload(file);
  });
  addEventListener("hashchange", () => {
    const wanted = wantedBy(location.hash);
    translate();
    if (wanted) open(wanted);
  });
}

async function start() {
  const [said, found] = await Promise.all([api.begin(), api.lessons()]);
  begun = { ...said, ...found };
  lang = begun.lang;
  const wanted = wantedBy(location.hash);
  translate();
  listen();
  if (wanted) await open(wanted);
  else showList(true);
}

start();
