// What stands around the steps of a lesson: its story, scenes, task and what to take away; and its questions.
import { button, element, fill } from "./words.js";

const PASSING = ["ALLOW", "EXEMPT"];

// The head of a lesson. Its story is told where it begins, and there to be opened anywhere else.
export function lessonHead(parent, lesson, place, { t, lang }) {
  const begins = place.scene === 1 && place.step === 1 && !place.task;
  const story = element("details", { id: "story", open: begins },
    element("summary", {}, t("story")), ...paragraphs(lesson.story[lang]));
  parent.replaceChildren(
    element("div", { class: "head" },
      element("p", { class: "quiet" }, fill(t("lesson_number"), { number: lesson.number })),
      element("h1", {}, lesson.title[lang])),
    story,
  );
}

// Its scenes and its task, to choose from; `go({scene, task})` opens another one.
export function lessonParts(parent, lesson, place, { t, lang, go }) {
  const part = (text, wanted) => {
    const here = wanted.task === place.task && (wanted.task || wanted.scene === place.scene);
    return element("li", {}, button(text, () => go(wanted), { "aria-current": here ? "page" : null, class: "button tab" }));
  };
  const scenes = (lesson?.scenes ?? []).map((scene, index) => part(`${index + 1}. ${scene.title[lang]}`, { scene: index + 1, task: false }));
  const task = lesson?.task ? [part(t("task"), { scene: place.scene, task: true })] : [];
  parent.replaceChildren(element("ul", { class: "tabs" }, ...scenes, ...task));
}

export function captureHead(parent, title, { t }) {
  parent.replaceChildren(element("div", { class: "head" }, element("h1", { class: "name" }, title), element("p", { class: "quiet" }, t("capture_about"))));
}

// What follows the steps: what to take away (what the lesson teaches too: said any earlier, it would answer the
// questions), where it is written, and what was assumed.
export function lessonFoot(parent, lesson, scene, notes, { t, lang }) {
  const parts = [];
  if (scene) {
    const taught = element("p", {}, element("strong", {}, lesson.teaches[lang]));
    parts.push(element("details", { id: "takeaway" }, element("summary", {}, t("takeaway")), ...paragraphs(scene.takeaway[lang]), taught));
  }
  if (lesson?.undocumented) {
    parts.push(element("details", {}, element("summary", {}, t("undocumented")), ...paragraphs(lesson.undocumented[lang])));
  }
  if (lesson?.sources.length) parts.push(element("details", {}, element("summary", {}, t("sources")), listOf(lesson.sources.map(sourceOf))));
  if (notes.length) parts.push(element("details", {}, element("summary", {}, t("notes")), listOf(notes.map((note) => element("span", { lang: "en" }, note)))));
  parent.replaceChildren(...parts);
}

const paragraphs = (text) => text.split(/\n+/).filter(Boolean).map((each) => element("p", {}, each));
const listOf = (items) => element("ul", {}, ...items.map((item) => element("li", {}, item)));
const sourceOf = (text) => (/^https:\/\//.test(text)
  ? element("a", { href: text, target: "_blank", rel: "noopener noreferrer" }, text)
  : element("span", { lang: "en" }, text));

// --- questions ------------------------------------------------------------------------------------------------
// The questions as the stepper asks them: of the step that decides, which is the first denial of a packet's rows
// (at the interface asked about), else the last of them.
export function asking(questions, rows, readings) {
  const found = [];
  for (const { packet, reading, at, ask, why } of questions) {
    const met = rows.filter((row) => row.packet === packet && (!at || row.eni === at));
    const denied = met.find((row) => row.verdicts[readings.indexOf(reading)][0] === "DENY");
    const row = denied ?? met.at(-1);
    if (row) found.push({ n: row.n, reading, ask, why });
  }
  return found;
}

// --- the task --------------------------------------------------------------------------------------------------
// `grade()` gives the lab's answer, or null where there is none to show.
export function showTask(parent, lesson, { t, lang, grade }) {
  const result = element("div", { role: "status" });
  const ask = button(t("grade"), async () => {
    ask.disabled = true;
    result.replaceChildren(element("p", { class: "quiet" }, t("grading")));
    const found = await grade();
    result.replaceChildren(...(found ? graded(found, t, lang) : []));
    ask.disabled = false;
  }, { class: "button first" });
  parent.replaceChildren(
    element("h2", { id: "task-head" }, t("task")),
    ...paragraphs(lesson.task.text[lang]),
    element("p", { class: "quiet" }, t("task_note")),
    element("p", {}, ask),
    result,
  );
}

function graded(found, t, lang) {
  const told = found.passed ? fill(t("graded_all"), found) : fill(t("graded"), found);
  const ordered = [...found.connections].sort((a, b) => a.passed - b.passed); // what fails stands first
  const lines = ordered.map((each) => element("li", { class: each.passed ? "mark" : "mark bad" },
    element("p", {},
      element("b", {}, `${each.passed ? "✓" : "✗"} ${t(each.passed ? "mark_right" : "mark_wrong")} `),
      element("span", {}, each.about[lang]), " ",
      element("span", { class: "quiet" }, `(${t(`want_${each.want}`)})`)),
    ...(each.fault ? faultLines(each, t, lang) : [])));
  return [element("p", { class: "score" }, told), element("ul", { class: "marks" }, ...lines)];
}

function faultLines(mark, t, lang) {
  const fault = mark.fault;
  const values = { ...fault, why: fault.why[lang] };
  const sentence = fill(t(PASSING.includes(fault.verdict) ? "fault_passed" : "fault_denied"), values);
  const lines = [fault.packet ? sentence : fault.why[lang]];
  if (fault.rule) lines.push(fill(t("fault_rule"), fault));
  if (fault.hint) lines.push(fill(t("hint"), { hint: fault.hint[lang] }));
  return lines.map((line) => element("p", { class: "quiet" }, line));
}
