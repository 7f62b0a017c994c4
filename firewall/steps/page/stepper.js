// mountStepper(element, source, options): steps of a judged capture, one at a time.
//
//   source   {scene, rows(start, count) -> Promise of rows, detail(n) -> Promise}: the objects of firewall.steps.Steps
//   options  {lang, predict: bool, step: n (else the first IP packet), onStep(n), onPredict(on), questions: [{n, reading, ask, why}], texts}; texts are
//            the scene's own, `questions` may be filled and emptied on the way
//   gives    {go(n), refresh(source, changedSteps), setLang(lang), destroy(), step, predicting}
//
// In predict mode nothing of a step is shown but what arrived, until the learner has answered, and steps behind the first
// unanswered one cannot be reached. With some `questions` only those steps and readings are asked (`ask`, `why`: by language).
import { choiceOf, differs, el, thousands } from "./stepper_dom.js";
import { Timeline } from "./stepper_timeline.js";
import { diagram, fieldsView, packetView, questionView, stateView, tableView, verdictsView, whyView } from "./stepper_views.js";

const PAGE = 200; // rows that are asked for at once
const MOST_DETAILS = 500; // kept
const QUICKEST = 600; // ms between two steps of a replay: quicker cannot be followed
const SLOWEST = 2000; // ms: longer pauses are cut to this
const BOXES = ["packet", "verdicts", "table", "why", "states", "fields"];

export function mountStepper(root, firstSource, options = {}) {
  let source = firstSource;
  let lang = options.lang ?? "en";
  let current = 0;
  let wanted = 0; // counts what was asked for, so that late answers are dropped
  let pages = new Map();
  let details = new Map();
  let explained = source.scene.main;
  let fieldsOpen = true;
  let timer = 0;
  let timeline = null;
  let picture = null;
  const parts = {};
  const changed = new Set();
  let asking = 0; // the step whose question is on the page
  const questions = () => (options.questions?.length ? options.questions : null);
  const predict = { on: false, frontier: 1, refused: 0, answers: new Map(), chosen: new Map(), right: 0, asked: 0 };
  const view = {
    t: (key, values = {}, otherwise = key) =>
      ((options.texts ?? source.scene.texts)[lang][key] ?? otherwise).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? ""),
    get lang() { return lang; },
    get scene() { return source.scene; },
    row, hidden, changed, current: () => current,
  };
  const { t } = view;
  const count = () => source.scene.rows;

  // --- what is known ----------------------------------------------------------------------------------------
  async function row(n) {
    const number = Math.floor((n - 1) / PAGE);
    if (!pages.has(number)) pages.set(number, source.rows(number * PAGE + 1, PAGE));
    const asked = pages;
    try {
      return (await pages.get(number))[(n - 1) % PAGE];
    } catch (error) {
      asked.delete(number); // the next time it may be there
      throw error;
    }
  }
  async function detail(n) {
    if (details.size > MOST_DETAILS) details = new Map();
    if (!details.has(n)) details.set(n, source.detail(n));
    const asked = details;
    try {
      return await details.get(n);
    } catch (error) {
      asked.delete(n);
      throw error;
    }
  }
  function hidden(n) {
    return predict.on && n >= predict.frontier;
  }
  const question = (n, reading) => questions()?.find((each) => each.n === n && each.reading === reading);
  const askedAt = (n) => source.scene.readings.filter((reading) => !questions() || question(n, reading));
  const questionFrom = (n) =>
    questions() ? Math.min(count() + 1, ...questions().map((each) => each.n).filter((each) => each >= n)) : n;

  // --- the frame --------------------------------------------------------------------------------------------
  function button(name, text, action, attributes = {}) {
    parts[name] = el("button", { type: "button", class: "st-button", click: action, ...attributes }, text);
    return parts[name];
  }
  const symbol = (name, sign, key, action) => button(name, sign, action, { "aria-label": t(key), title: t(key) });

  function build() {
    timeline = new Timeline(view, go);
    picture = diagram(view);
    for (const name of BOXES) parts[name] = el("section", { class: `st-box st-${name}` });
    parts.live = el("p", { class: "st-unseen", role: "status" });
    root.classList.add("stepping"); // what the style measures
    root.lang = lang;
    root.replaceChildren(el("div", { class: "stepper" }, bar(), timeline.element,
      el("div", { class: "st-main" }, parts.packet, parts.verdicts, parts.table, parts.why),
      el("div", { class: "st-side" }, parts.states, parts.fields), parts.live, keyList()));
    timeline.resize();
  }
  function bar() {
    const isLarge = document.documentElement.classList.contains("large-type");
    parts.number = el("input", { type: "number", class: "st-number", min: "1", max: String(Math.max(count(), 1)), "aria-label": t("step"), change: () => go(Number(parts.number.value)) });
    parts.moment = el("span", { class: "st-quiet st-moment" });
    parts.score = el("span", { class: "st-score", role: "status", hidden: true });
    parts.refused = el("span", { class: "st-refused", role: "status" });
    return el("div", { class: "st-bar", role: "toolbar", "aria-label": t("moving") },
      el("div", { class: "st-group" }, symbol("firstStep", "|◀", "first", () => go(1)), button("back", `◀ ${t("back")}`, () => go(current - 1)),
        button("forward", `${t("forward")} ▶`, () => go(current + 1), { class: "st-button primary" }), symbol("lastStep", "▶|", "last", () => go(count()))),
      button("play", t("play"), toggle, { "aria-pressed": "false" }),
      el("label", { class: "st-at" }, t("step"), parts.number, el("span", { class: "st-quiet" }, t("of", { count: thousands(count()) }))), parts.moment,
      el("div", { class: "st-group st-end" }, parts.refused, parts.score, source.scene.readings.length > 1 ? button("differ", t("differ"), nextDifference) : null,
        button("predict", t("predict"), () => setPredict(!predict.on), { "aria-pressed": String(predict.on) }),
        button("large", "Aa", large, { "aria-label": t("large"), title: t("large"), "aria-pressed": String(isLarge) }), symbol("help", "?", "help", () => parts.dialog.showModal())));
  }
  function keyList() {
    const keys = [[["→", "j"], "key_forward"], [["←", "k"], "key_back"], [["Home"], "key_first"], [["End"], "key_last"], [[t("space")], "key_play"],
      [["x"], "key_differ"], [["p"], "key_predict"], [["a", "d", "n"], "key_answer"], [["Enter"], "key_reveal"], [["?"], "key_help"]];
    const lines = keys.map(([names, text]) => el("div", {}, el("dt", {}, ...names.map((name) => el("kbd", {}, name))), el("dd", {}, t(text))));
    parts.dialog = el("dialog", { class: "st-help", "aria-label": t("help") }, el("h2", {}, t("help")), el("dl", {}, ...lines),
      el("button", { type: "button", class: "st-button", click: () => parts.dialog.close() }, t("close")));
    return parts.dialog;
  }

  // --- one step ---------------------------------------------------------------------------------------------
  async function show() {
    wanted += 1;
    const asked = wanted;
    const n = current;
    buttons();
    if (!count()) {
      parts.packet.replaceChildren(el("p", {}, t("empty")));
      return;
    }
    try {
      const found = await Promise.all([row(n), detail(n), hidden(n) && n > 1 ? detail(n - 1) : null]);
      if (asked === wanted) draw(...found);
    } catch (error) {
      if (asked === wanted) parts.packet.replaceChildren(el("p", { role: "alert" }, t("failed", { error: error.message })));
    }
  }
  function buttons() {
    parts.back.disabled = parts.firstStep.disabled = current <= 1;
    for (const each of [parts.forward, parts.lastStep]) {
      each.disabled = current >= count();
      each.setAttribute("aria-disabled", String(hidden(current))); // it can be pressed, and says why not
    }
    if (parts.differ) parts.differ.hidden = predict.on;
    parts.predict.setAttribute("aria-pressed", String(predict.on));
    parts.number.value = current;
    parts.score.hidden = !predict.on;
    parts.score.textContent = predict.asked ? t("score", { right: predict.right, asked: predict.asked }) : t("no_score");
    parts.refused.textContent = hidden(current) && predict.refused === current ? t("answer_first") : "";
  }
  const showQuestion = () => parts.verdicts.scrollIntoView({ block: "nearest" });
  function draw(each, whole, before) {
    const unseen = hidden(each.n);
    const focused = parts.why.contains(document.activeElement);
    parts.moment.textContent = t("at_time", { time: each.time });
    parts.packet.replaceChildren(...packetView(view, each, whole, { hidden: unseen }));
    parts.fields.replaceChildren(...fieldsView(view, whole, { open: fieldsOpen, opened: (open) => { fieldsOpen = open; } }));
    parts.verdicts.replaceChildren(...(unseen ? drawQuestion(each) : verdictsView(view, each, whole, {
      said: predict.answers.get(each.n) ?? {}, told: (reading) => (predict.on ? question(each.n, reading)?.why?.[lang] : null),
    })));
    parts.table.replaceChildren(...tableView(view, unseen ? before : whole, { hidden: unseen }));
    parts.states.replaceChildren(...stateView(view, whole, { hidden: unseen, picture }));
    drawWhy(whole, unseen, focused);
    if (unseen && asking !== each.n) showQuestion();
    asking = unseen ? each.n : 0;
    timeline.reach();
    const said = unseen ? t("question") : each.verdicts.map(([verdict], place) => `${t(`reading_${source.scene.readings[place]}`)}: ${verdict}`).join(", ");
    if (!timer) parts.live.textContent = `${t("step")} ${each.n} ${t("of", { count: count() })}. ${each.flags || each.protocol}. ${said}`;
  }
  function drawQuestion(each) {
    predict.chosen = new Map();
    return questionView(view, askedAt(each.n), {
      ask: (reading) => question(each.n, reading)?.ask?.[lang], chose: (reading, word) => predict.chosen.set(reading, word), reveal,
    });
  }
  function drawWhy(whole, unseen, focused) {
    parts.why.hidden = unseen;
    const choose = (reading) => { explained = reading; drawWhy(whole, unseen, true); };
    parts.why.replaceChildren(...(unseen ? [] : whyView(view, whole, { reading: explained, choose })));
    if (focused) parts.why.querySelector('[aria-pressed="true"]')?.focus({ preventScroll: true });
  }

  // --- predict ----------------------------------------------------------------------------------------------
  function restart(on) {
    Object.assign(predict, { on, frontier: questionFrom(questions() ? 1 : Math.max(current, 1)), refused: 0, answers: new Map(), right: 0, asked: 0 });
    options.onPredict?.(on);
  }
  function setPredict(on) {
    pause();
    restart(on);
    if (on && current > predict.frontier) go(predict.frontier);
    else show();
  }
  async function reveal() {
    if (!hidden(current)) return;
    const n = current;
    const said = Object.fromEntries(predict.chosen);
    const { verdicts } = await row(n);
    predict.answers.set(n, said);
    for (const [reading, word] of Object.entries(said)) {
      predict.asked += 1;
      predict.right += word === choiceOf(verdicts[source.scene.readings.indexOf(reading)][0]) ? 1 : 0;
    }
    predict.frontier = questionFrom(n + 1);
    await show();
    (parts.forward.disabled ? parts.back : parts.forward).focus({ preventScroll: true });
  }
  function answer(word) {
    if (!hidden(current)) return;
    const reading = askedAt(current).find((each) => !predict.chosen.has(each));
    if (reading) parts.verdicts.querySelector(`[data-reading="${reading}"] input[value="${word}"]`)?.click();
  }

  // --- moving -----------------------------------------------------------------------------------------------
  function go(to) {
    const most = predict.on ? Math.min(count(), predict.frontier) : count();
    const n = Math.min(Math.max(Math.trunc(to) || 1, 1), most);
    if (to > most && hidden(n)) predict.refused = n;
    if (n === current || n < 1) {
      buttons();
      if (to > most && hidden(n)) showQuestion();
      return;
    }
    current = n;
    options.onStep?.(n);
    show();
  }
  async function nextDifference() {
    if (predict.on) return;
    pause();
    const from = current;
    for (let n = from + 1; n <= count(); n += 1) {
      if (differs(await row(n))) {
        if (current === from) go(n);
        return;
      }
    }
    parts.live.textContent = t("no_differ");
  }
  async function playOn() {
    if (current >= count() || hidden(current)) {
      pause();
      if (hidden(current)) go(current + 1); // which says what it waits for
      return;
    }
    const [here, next] = await Promise.all([row(current), row(current + 1)]);
    const wait = Math.min(Math.max((Number(next.time) - Number(here.time)) * 1000, QUICKEST), SLOWEST);
    if (timer) timer = setTimeout(() => { go(current + 1); playOn(); }, wait);
  }
  function toggle() {
    if (timer) {
      pause();
      return;
    }
    if (current >= count()) go(1);
    timer = -1; // playing, though nothing is timed yet
    playing(true);
    playOn();
  }
  function pause() {
    clearTimeout(timer);
    timer = 0;
    playing(false);
  }
  function playing(on) {
    parts.play.textContent = t(on ? "pause" : "play");
    parts.play.setAttribute("aria-pressed", String(on));
  }
  function large() {
    parts.large.setAttribute("aria-pressed", String(document.documentElement.classList.toggle("large-type")));
    timeline.resize();
    timeline.reach();
  }
  const move = (steps) => () => { pause(); go(current + steps); };
  const KEYS = {
    ArrowRight: move(1), j: move(1), ArrowLeft: move(-1), k: move(-1), Home: () => go(1), End: () => go(count()), " ": toggle,
    x: nextDifference, p: () => setPredict(!predict.on), a: () => answer("ALLOW"), d: () => answer("DENY"), n: () => answer("neither"),
    Enter: reveal, "?": () => parts.dialog.showModal(),
  };
  function keys(event) {
    const on = (selector) => event.target.closest?.(selector);
    const acting = [" ", "Enter"].includes(event.key);
    const theirs = on("input:not([type=radio]), textarea, select, [contenteditable], dialog") || (acting && on("button, summary, a"))
      || (on("input[type=radio]") && (event.key === " " || event.key.startsWith("Arrow")));
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || theirs || !Object.hasOwn(KEYS, event.key)) return;
    event.preventDefault();
    KEYS[event.key]();
  }
  const resize = () => timeline.resize();

  build();
  document.addEventListener("keydown", keys);
  window.addEventListener("resize", resize);
  asking = current = count() ? Math.min(Math.max(Math.trunc(options.step ?? source.scene.first) || 1, 1), count()) : 0; // the page stays at its top
  if (options.predict) setPredict(true);
  else show();
  return {
    go,
    get step() { return current; },
    get predicting() { return predict.on; },
    /** The same capture under other rules: what is shown is read again, `changedSteps` are marked, and nothing is predicted. */
    refresh(newSource, changedSteps = []) {
      source = newSource;
      pages = new Map();
      details = new Map();
      changed.clear();
      changedSteps.forEach((n) => changed.add(n));
      if (!source.scene.readings.includes(explained)) explained = source.scene.main;
      pause();
      restart(false);
      build();
      const last = current;
      current = Math.min(Math.max(current, 1), count());
      if (current !== last) options.onStep?.(current);
      return show();
    },
    setLang(word) {
      lang = word;
      pause();
      build();
      return show();
    },
    destroy() {
      pause();
      document.removeEventListener("keydown", keys);
      window.removeEventListener("resize", resize);
      root.replaceChildren();
    },
  };
}
