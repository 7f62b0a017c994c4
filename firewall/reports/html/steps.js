// The page around the stepping component: everything is in the page, `#step=N` names a step.
const data = JSON.parse(document.getElementById("steps-data").textContent);
const { scene, version } = data;
const at = (id) => document.getElementById(id);
let lang = document.documentElement.lang;

const source = {
  scene,
  rows: async (start, count) => data.rows.slice(start - 1, start - 1 + count),
  detail: async (n) => data.details[n - 1],
};
const asked = () => Number(/^#step=(\d+)$/.exec(location.hash)?.[1]) || undefined;
const stepper = mountStepper(at("steps"), source, {
  lang, step: asked(), onStep: (n) => history.replaceState(null, "", `#step=${n}`),
});
addEventListener("hashchange", () => { if (asked()) stepper.go(asked()); });

function words() {
  const t = (key, values = {}) => scene.texts[lang][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
  document.documentElement.lang = lang;
  document.title = `${t("title")}: ${scene.title}`;
  at("title").textContent = document.title;
  at("skip").textContent = t("skip");
  at("about").textContent = [scene.start && `${scene.start} UTC`, t("profile", { profile: scene.profile }),
    `${t("interfaces")}: ${scene.interfaces.map((each) => `${each.id} (${each.addresses.join(", ")})`).join(" · ")}`].filter(Boolean).join(" · ");
  at("made").textContent = t("made_by", { version });
  at("notes").hidden = scene.notes.length === 0;
  at("notes").firstElementChild.textContent = `${t("notes")} (${scene.notes.length})`;
  at("notes").lastElementChild.replaceChildren(...scene.notes.map((note) => Object.assign(document.createElement("li"), { textContent: note })));
  at("languages").setAttribute("aria-label", t("language"));
  for (const each of at("languages").children) each.setAttribute("aria-pressed", String(each.dataset.lang === lang));
}
at("languages").addEventListener("click", ({ target }) => {
  if (!target.dataset.lang) return;
  lang = target.dataset.lang;
  words();
  stepper.setLang(lang);
});
words();
