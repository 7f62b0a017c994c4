// The parts of one step as elements. Every function takes a view {t, lang, scene} and gives a list of nodes.
import { CHOICES, called, choiceOf, differs, el, lasting, named, parted, thousands } from "./stepper_dom.js";

// --- what arrived -------------------------------------------------------------------------------------------
export function packetView(view, row, detail, { hidden }) {
  const { t } = view;
  const capture = row.capture ? el("span", { class: "st-quiet" }, ` ${t("of_capture", { capture: row.capture })}`) : null;
  const title = el("h2", {}, t("packet", { packet: thousands(row.packet) }), capture);
  if (!row.src) return [title, el("p", { class: "st-flags" }, t("no_header")), ...notes(view, detail, hidden)];
  const [left, right] = row.direction === "egress" ? [row.dst, row.src] : [row.src, row.dst];
  const bytes = row.length === null ? "" : t("bytes", { count: thousands(row.length) });
  const about = [row.direction ? t(row.direction) : t("nowhere"), row.protocol, bytes].filter(Boolean).join(" · ");
  const arrow = el("div", { class: `st-arrow ${row.direction === "egress" ? "out" : "in"}` },
    el("span", { class: "st-flags" }, row.flags || row.protocol), el("span", { class: "st-shaft", "aria-hidden": "true" }), el("span", { class: "st-quiet" }, about));
  return [title, el("div", { class: "st-path" }, host(view, left), arrow, host(view, right, row.eni)), ...notes(view, detail, hidden)];
}

/** One end of a packet; `eni`: the interface that it is, "" for a host elsewhere. */
function host({ scene }, endpoint, eni = "") {
  const [address, port] = parted(endpoint);
  const own = scene.interfaces.find((each) => each.id === eni);
  const name = called(address, scene.hosts, own?.id);
  const groups = own ? own.groups.join(", ") : "";
  const told = name === own?.id ? groups : [own?.id, groups && `(${groups})`].filter(Boolean).join(" ");
  const at = [name === address ? "" : address, port ? `:${port}` : ""].join("");
  return el("div", { class: `st-host${own ? " own" : ""}` }, el("strong", {}, name), at ? el("span", { class: "mono" }, at) : null, told ? el("span", { class: "st-quiet" }, told) : null);
}

function notes({ t }, detail, hidden) {
  const waited = Number(detail.waited ?? 0);
  const expired = hidden ? 0 : detail.gone.filter((each) => each.fate === "timed-out").length;
  const found = detail.change ? [el("p", { class: "st-note change" }, t("rules_changed", { change: detail.change }))] : [];
  if (waited >= 1 || expired) found.push(el("p", { class: "st-note" }, t(expired ? "waited_expired" : "waited", { time: lasting(waited), count: expired })));
  return found;
}

export function fieldsView({ t }, detail, { open, opened }) {
  const one = ([name, value]) => el("div", {}, el("dt", {}, t(`field_${name}`, {}, name)), el("dd", { class: "mono" }, value));
  const layers = detail.fields.map(({ layer, fields }) => el("div", { class: "st-layer" }, el("h3", {}, layer), el("dl", {}, ...fields.map(one))));
  const box = el("details", { open, toggle: () => opened(box.open) }, el("summary", {}, el("h2", {}, t("fields"))), ...layers);
  return [box];
}

// --- verdicts -----------------------------------------------------------------------------------------------
function card({ t, scene }, reading, ...children) {
  const about = reading === "nacl" && scene.made_acls.length ? t("about_nacl_made", { acls: some(scene.made_acls) }) : t(`about_${reading}`);
  return el("div", { class: "st-card", "data-reading": reading }, el("h3", {}, t(`reading_${reading}`)), el("p", { class: "st-about st-quiet" }, about), ...children);
}

const some = (names) => (names.length > 3 ? [...names.slice(0, 3), "..."] : names).join(", ");

/** `said`: what the learner predicted, by reading; `told(reading)`: what a question says of its answer. */
export function verdictsView(view, row, detail, { said, told }) {
  const { t, lang, scene } = view;
  const cards = row.verdicts.map(([verdict, reason, rule], place) => {
    const reading = scene.readings[place];
    const why = detail.why[reading];
    const more = told(reading);
    const made = card(view, reading, el("p", { class: `st-verdict ${verdict}` }, verdict),
      el("p", { class: "mono st-reason" }, reason, rule && !why.en.includes(rule) ? ` · ${rule}` : null),
      el("p", {}, why[lang] ?? why.en), more ? el("p", { class: "st-told" }, more) : null, answerView(view, said[reading], verdict));
    made.classList.add(verdict);
    return made;
  });
  return [el("h2", {}, t("verdicts"), differs(row) ? el("span", { class: "st-differ" }, t("they_differ")) : null), el("div", { class: "st-cards" }, ...cards)];
}

function answerView({ t }, said, verdict) {
  if (!said) return null;
  const right = said === choiceOf(verdict);
  const word = said === "neither" ? t("neither") : said;
  return el("p", { class: `st-answer ${right ? "right" : "wrong"}` }, `${right ? "✓" : "✗"} ${t(right ? "was_right" : "was_wrong", { said: word })}`);
}

/** The readings that are asked; `chose(reading, word)` is told every choice. */
export function questionView(view, asked, { ask, chose, reveal }) {
  const { t } = view;
  const show = el("button", { type: "button", class: "st-button primary st-reveal", click: reveal }, t("reveal"));
  const choice = (reading, word) => {
    const input = el("input", { type: "radio", name: `st-say-${reading}`, value: word, change: () => chose(reading, word) });
    const said = word === "neither" ? [t("neither"), el("span", { class: "st-means" }, ` (${t("neither_means")})`)] : [word];
    return el("label", { class: `st-choice ${word}` }, input, el("span", {}, ...said));
  };
  const cards = asked.map((reading) => {
    const question = ask(reading);
    return card(view, reading, question ? el("p", {}, question) : null,
      el("fieldset", { class: "st-choices" }, el("legend", { class: "st-unseen" }, t(`reading_${reading}`)), ...CHOICES.map((word) => choice(reading, word))));
  });
  return [el("h2", {}, t(asked.length > 1 ? "question" : "question_one")), el("div", { class: "st-cards" }, ...cards), show];
}

// --- the table ----------------------------------------------------------------------------------------------
const COLUMNS = ["flow", "state", "connection", "left", "rule"];
const SIGNS = { new: "+", changed: "•", same: "", gone: "−" };

/** The table of a step; `hidden`: that of the step before, without a word of what came of it. */
export function tableView(view, detail, { hidden }) {
  const { t, scene } = view;
  const rows = detail?.table ?? [];
  const gone = hidden ? [] : detail.gone;
  const counts = detail?.counts ?? { entries: 0, gone: 0, untracked: 0 };
  const said = [rows.length < counts.entries ? t("shown_of", { shown: thousands(rows.length), count: thousands(counts.entries) })
    : t(counts.entries === 1 ? "entry" : "entries", { count: thousands(counts.entries) })];
  if (counts.untracked) said.push(t("untracked", { count: thousands(counts.untracked) }));
  const title = el("h2", {}, t(hidden ? "table_before" : "table"), el("span", { class: "st-quiet st-count" }, said.join(" · ")));
  const kind = (name) => (["flow", "left"].includes(name) ? "number" : "mono");
  const line = (each) => {
    const mark = hidden ? "same" : (each.mark ?? "gone");
    const word = each.fate ? fateText(view, each) : t(`mark_${mark}`);
    return el("tr", { class: mark, "data-key": each.key }, el("td", { class: "st-mark" }, el("span", { "aria-hidden": "true" }, SIGNS[mark]), ` ${word}`),
      ...COLUMNS.map((name) => el("td", { class: kind(name) }, ...cell(view, each, name, hidden))));
  };
  const order = (a, b) => (a.eni === b.eni ? a.flow - b.flow : a.eni < b.eni ? -1 : 1);
  const body = [...rows, ...gone].sort(order).map(line);
  if (!body.length) return [title, el("p", { class: "st-quiet" }, t("no_entries"))];
  const heads = COLUMNS.map((name) => el("th", { scope: "col", class: kind(name) === "number" ? "number" : null }, t(name)));
  const table = el("table", {}, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, t("since")), ...heads)), el("tbody", {}, ...body));
  const more = !hidden && counts.gone > gone.length ? el("p", { class: "st-quiet" }, t("more_gone", { count: thousands(counts.gone - gone.length) })) : "";
  return [title, el("div", { class: "st-scroll", role: "region", tabindex: "0", "aria-label": t("table") }, table), more];
}

function fateText({ t }, each) {
  const ago = each.fate === "timed-out" && each.late > 0 ? "_ago" : "";
  return t(`fate_${each.fate}${ago}`, { time: lasting(each.late ?? 0) });
}

function cell({ scene }, each, name, hidden) {
  if (name === "state") {
    const was = each.was && each.was !== each.state && !hidden;
    return was ? [el("span", { class: "st-was" }, each.was), " → ", el("strong", {}, each.state)] : [el("strong", {}, each.state)];
  }
  if (name === "left") return [each.fate ? "" : lasting(each.left)];
  if (name === "connection") return [`${each.protocol} ${named(each.originator, scene.hosts)} → ${named(each.responder, scene.hosts)}`];
  if (name === "flow" && scene.interfaces.length > 1) return [`${each.eni} ${each.flow}`];
  return [String(each[name])];
}

// --- the state ----------------------------------------------------------------------------------------------
/** The picture of TCP states: the scene's own, which holds no text of a capture. */
export function diagram({ scene, lang }) {
  const drawn = new DOMParser().parseFromString(scene.diagram[lang] ?? scene.diagram.en, "image/svg+xml").documentElement;
  return document.importNode(drawn, true);
}

/** The present state is `lit` in the picture, the one before `left`, the change `taken`. */
export function stateView({ t }, detail, { hidden, picture }) {
  const tcp = hidden ? null : detail.tcp;
  for (const each of picture.querySelectorAll(".lit, .left, .taken")) each.classList.remove("lit", "left", "taken");
  if (tcp) light(picture, tcp);
  const text = el("p", { class: "st-state-text" }, hidden ? t("state_hidden") : tcp ? stateText(t, tcp) : t("state_other"));
  return [el("h2", {}, t("states")), text, picture, el("p", { class: "st-quiet st-small" }, t("state_legend"))];
}

function light(picture, { before, after }) {
  const at = (id) => picture.querySelector(`[id="${id}"]`);
  at(`state-${after}`)?.classList.add("lit");
  if (before === after) return;
  at(`state-${before}`)?.classList.add("left");
  (at(`edge-${before}-${after}`) ?? at(`edge-any-${after}`))?.classList.add("taken");
}

function stateText(t, { flow, before, after }) {
  if (flow === null) return t("state_nothing");
  const word = (state) => (state === "NONE" ? t("state_none") : state);
  return t(before === after ? "state_stays" : "state_goes", { flow, state: word(after), before: word(before), after: word(after) });
}

// --- why ----------------------------------------------------------------------------------------------------
export function whyView({ t, lang, scene }, detail, { reading, choose }) {
  const button = (name) => el("button", { type: "button", class: "st-button", "aria-pressed": String(name === reading), click: () => choose(name) }, t(`reading_${name}`));
  const line = (text) => {
    const rule = /^(->| -) /.test(text);
    return el("p", { class: rule ? `mono rule${text.startsWith("->") ? " decides" : ""}` : null }, rule ? text.slice(3) : text);
  };
  const phase = (each) => el("li", { class: each.kind }, el("span", { class: "st-phase" }, each.title), el("div", {}, el("strong", {}, each.result), ...each.lines.map(line)));
  const buttons = scene.readings.length > 1 ? el("div", { class: "st-group", role: "group", "aria-label": t("explain_reading") }, ...scene.readings.map(button)) : "";
  const english = lang === "en" ? "" : el("p", { class: "st-quiet" }, t("explanation_english"));
  return [el("h2", {}, t("explanation")), buttons, english, el("ol", { class: "st-phases", lang: "en" }, ...detail.explanation[reading].map(phase))];
}
