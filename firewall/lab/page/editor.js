// The editor of rules: a textarea with line numbers; what is wrong stands in a list above it and is marked at its line.
// Long lines wrap. The gutter holds the same text, unseen, so that every number stands where its line begins and the
// editor is as tall as its text; the box around both scrolls.
import { element, fill } from "./words.js";

const PAUSE = 350; // ms without a key before the rules are judged

// `changed(text)` is called once the typing pauses. Returns {set(text), show(problems), text, focus()}.
export function mountEditor(parent, t, changed) {
  const gutter = element("div", { class: "gutter", "aria-hidden": "true" });
  const area = element("textarea", {
    id: "rules-text", spellcheck: "false", autocapitalize: "off", autocomplete: "off",
    "aria-describedby": "rules-status",
  });
  const list = element("ul", { class: "problems", id: "rules-problems" });
  const box = element("div", { class: "editor" }, element("div", { class: "sheet" }, gutter, area));
  parent.replaceChildren(list, box);
  let problems = [];
  let waiting = 0;

  function number() {
    const bad = new Set(problems.map((each) => each.line));
    gutter.replaceChildren(...area.value.split("\n").map((text, before) =>
      element("div", { class: bad.has(before + 1) ? "bad" : "", "data-text": text }, element("span", {}, String(before + 1)))));
  }

  function go(problem) {
    if (problem.line === null) return area.focus();
    const lines = area.value.split("\n");
    const start = lines.slice(0, problem.line - 1).reduce((sum, each) => sum + each.length + 1, 0);
    area.focus();
    area.setSelectionRange(start, start + (lines[problem.line - 1] ?? "").length);
    gutter.children[problem.line - 1]?.scrollIntoView({ block: "nearest" });
  }

  function show(found) {
    problems = found;
    area.setAttribute("aria-invalid", String(found.length > 0));
    list.replaceChildren(...found.map((problem) => {
      const place = problem.line === null ? "" : fill(t("line"), { line: problem.line });
      const button = element("button", { type: "button", class: "problem" }, element("b", {}, place), element("span", { lang: "en" }, problem.text));
      button.addEventListener("click", () => go(problem));
      return element("li", {}, button);
    }));
    number();
  }

  // A new line begins where the one above began, as YAML wants it.
  function indent(event) {
    if (event.key !== "Enter" || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    const before = area.value.slice(0, area.selectionStart);
    const line = before.slice(before.lastIndexOf("\n") + 1);
    const space = line.match(/^ */)[0] + (/:\s*$/.test(line) ? "  " : "");
    if (!space) return;
    event.preventDefault();
    area.setRangeText(`\n${space}`, area.selectionStart, area.selectionEnd, "end");
    area.dispatchEvent(new Event("input"));
  }

  area.addEventListener("keydown", indent);
  area.addEventListener("input", () => {
    number();
    clearTimeout(waiting);
    waiting = setTimeout(() => changed(area.value), PAUSE);
  });
  return {
    get text() { return area.value; },
    set(text) { clearTimeout(waiting); area.value = text; box.scrollTop = 0; show([]); },
    show,
    label(text) { area.setAttribute("aria-label", text); },
  };
}
