// The timeline: a line for each step, of which only those that can be seen are in the document.
import { called, el, parted, thousands } from "./stepper_dom.js";

const HEIGHT = 3.25; // rem, of a line
const SPARE = 5; // lines above and below what is seen
const LETTERS = { ALLOW: "A", DENY: "D", EXEMPT: "E", NOT_EVALUATED: "N" };
const CHANGED = "≠";
const ARROWS = { ingress: "→", egress: "←" };

/** `view`: {t, scene, row(n) -> Promise, hidden(n), changed: Set, current()}; `choose(n)` is called for a click. */
export class Timeline {
  constructor(view, choose) {
    const { t, scene } = view;
    this.view = view;
    this.choose = choose;
    this.asked = 0;
    this.rows = el("div", { role: "presentation", class: "st-rows" });
    this.list = el("div", { class: "st-list", role: "listbox", tabindex: "0", "aria-label": t("timeline_label"), scroll: () => this.draw(),
      keydown: (event) => this.keys(event) }, this.rows);
    const heads = scene.readings.map((name) => el("span", { class: "st-head", title: t(`reading_${name}`) }, t(`short_${name}`)));
    const legend = Object.entries(LETTERS).map(([word, letter]) => `${letter}\u00a0${word}`);
    if (view.changed.size) legend.push(`${CHANGED}\u00a0${t("changed_mark")}`);
    this.element = el("section", { class: "st-time", "aria-label": t("timeline") },
      el("div", { class: "st-heads" }, el("h2", {}, t("timeline")), el("div", { class: "st-chips" }, ...heads)), this.list,
      el("p", { class: "st-legend st-quiet" }, legend.join(" · ")));
  }

  resize() {
    this.height = HEIGHT * Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
    this.rows.style.height = `${this.height * this.view.scene.rows}px`;
    this.draw();
  }

  async draw() {
    const { scene, row } = this.view;
    const { scrollTop, clientHeight } = this.list;
    const first = Math.max(1, Math.floor(scrollTop / this.height) + 1 - SPARE);
    const last = Math.min(scene.rows, Math.ceil((scrollTop + clientHeight) / this.height) + SPARE);
    this.asked += 1;
    const { asked } = this;
    const numbers = Array.from({ length: Math.max(0, last - first + 1) }, (_, place) => first + place);
    const found = await Promise.all(numbers.map(row)).catch(() => []);
    if (asked === this.asked) this.rows.replaceChildren(...found.map((each) => this.line(each)));
  }

  /** Bring the present step into view. */
  reach() {
    const top = (this.view.current() - 1) * this.height;
    const { scrollTop, clientHeight } = this.list;
    if (top < scrollTop || top + this.height > scrollTop + clientHeight) this.list.scrollTop = Math.max(0, top - (clientHeight - this.height) / 2);
    this.list.setAttribute("aria-activedescendant", `st-row-${this.view.current()}`);
    this.draw();
  }

  line(each) {
    const { t, scene, hidden, changed, current } = this.view;
    const here = each.n === current();
    const ends = [...this.end(each, each.src, "egress"), el("span", {}, " → "), ...this.end(each, each.dst, "ingress")];
    const what = `${ARROWS[each.direction] ?? "·"} ${each.flags || each.protocol || t("no_header")}`;
    const made = el("div", {
      role: "option", id: `st-row-${each.n}`, class: ["st-row", here ? "current" : "", each.change ? "rules-change" : ""].join(" "),
      "aria-selected": String(here), "aria-setsize": String(scene.rows), "aria-posinset": String(each.n), click: () => this.choose(each.n),
      title: each.change ? `${t("rules_change")}: ${each.change}` : each.src ? `${each.src} → ${each.dst}` : null,
    },
      el("span", { class: "st-n" }, thousands(each.n)),
      el("span", { class: "st-what" },
        el("span", { class: "st-line" }, el("span", { class: "st-name" }, what), changed.has(each.n) && !hidden(each.n) ? this.mark() : null),
        el("span", { class: "st-ends" }, ...(each.src ? ends : [`${each.time} s`]))),
      el("span", { class: "st-chips" }, ...each.verdicts.map(([verdict], place) => this.chip(verdict, hidden(each.n), scene.readings[place]))));
    made.style.transform = `translateY(${(each.n - 1) * this.height}px)`;
    return made;
  }

  /** An end of a packet as its name, which may be cut, and its port, which may not; `direction`: in which it is an interface's. */
  end(row, endpoint, direction) {
    const { interfaces, hosts } = this.view.scene;
    const [address, port] = parted(endpoint);
    const own = row.direction === direction;
    const name = called(address, hosts, own ? row.eni : "");
    const told = interfaces.length === 1 && own && port; // then the arrow says whose end it is
    return [told ? null : el("span", { class: "st-name" }, port && name.includes(":") ? `[${name}]` : name), port ? el("span", {}, `:${port}`) : null];
  }

  mark() {
    const word = this.view.t("changed_mark");
    return el("em", { class: "st-changed", title: word }, el("span", { "aria-hidden": "true" }, CHANGED), el("span", { class: "st-unseen" }, word));
  }

  chip(verdict, hidden, reading) {
    const { t } = this.view;
    const name = t(`reading_${reading}`);
    if (hidden) return el("span", { class: "st-chip hidden-verdict", title: `${name}: ${t("hidden")}` }, "?");
    return el("span", { class: `st-chip ${verdict}`, title: `${name}: ${verdict}` },
      el("span", { class: "st-letter", "aria-hidden": "true" }, LETTERS[verdict]), el("span", { class: "st-word" }, verdict));
  }

  keys(event) {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
    if (!step) return;
    event.preventDefault();
    this.choose(this.view.current() + step);
  }
}
