// What the page asks of the lab. An answer that is not wanted any more is dropped by whoever asked.

export const SUPERSEDED = 409; // newer rules came before these were judged

async function answer(asked) {
  let response;
  try {
    response = await asked;
  } catch (error) {
    throw new LabError(null, error.name === "AbortError" ? SUPERSEDED : 0);
  }
  const found = await response.json().catch(() => ({}));
  if (!response.ok) throw new LabError(found.error ?? null, response.status);
  return found;
}

// `message` is the lab's own words, null where it does not answer.
export class LabError extends Error {
  constructor(message, status) {
    super(message ?? "");
    this.told = message;
    this.status = status;
  }
}

const get = (path) => answer(fetch(`api/${path}`));
const post = (path, body, signal = null) => answer(fetch(`api/${path}`, { method: "POST", body, signal }));

export const begin = () => get("begin");
export const lessons = () => get("lessons");
export const lesson = (name) => get(`lessons/${encodeURIComponent(name)}`);
export const open = (what) => post("open", JSON.stringify(what));
export const upload = (file) => post(`upload?name=${encodeURIComponent(file.name)}`, file);
export const session = (id) => get(encodeURIComponent(id));
export const judge = (id, text, signal) => post(`${id}/rules`, text, signal);
export const grade = (id, text) => post(`${id}/grade`, text);

// The steps of a session as the stepper reads them; `first` are the rows that came with the session.
export const source = (id, scene, first) => ({
  scene,
  rows: (start, count) => {
    const last = Math.min(start + count - 1, scene.rows);
    return last <= first.length ? Promise.resolve(first.slice(start - 1, last)) : get(`${id}/rows?start=${start}&count=${count}`);
  },
  detail: (n) => get(`${id}/steps/${n}`),
});
