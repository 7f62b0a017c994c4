// What the page asks of the lab. An answer that is not wanted any more is dropped by whoever asked.

async function answer(asked) {
  let response;
  try {
    response = await asked;
  } catch {
    throw new LabError(null, 0);
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
const post = (path, body) => answer(fetch(`api/${path}`, { method: "POST", body }));

export const begin = () => get("begin");
export const lessons = () => get("lessons");
export const lesson = (name) => get(`lessons/${encodeURIComponent(name)}`);
export const open = (what) => post("open", JSON.stringify(what));
export const upload = (file) => post(`upload?name=${encodeURIComponent(file.name)}`, file);
export const session = (id) => get(encodeURIComponent(id));
export const judge = (id, text) => post(`${id}/rules`, text);
export const grade = (id, text) => post(`${id}/grade`, text);

// The steps of a session as the stepper reads them; `first` are the rows that came with the session. The step that comes
// next, in the direction of the last move, is asked for beforehand.
export function source(id, scene, first) {
  const ahead = new Map();
  let last = 0;
  function taken(n) {
    const found = ahead.get(n) ?? get(`${id}/steps/${n}`);
    ahead.clear();
    return found;
  }
  return {
    scene,
    rows: (start, count) => {
      const end = Math.min(start + count - 1, scene.rows);
      return end <= first.length ? Promise.resolve(first.slice(start - 1, end)) : get(`${id}/rows?start=${start}&count=${count}`);
    },
    detail: (n) => {
      const found = taken(n);
      const next = n < last ? n - 1 : n + 1;
      last = n;
      if (next >= 1 && next <= scene.rows) {
        found.then(() => {
          const asked = get(`${id}/steps/${next}`);
          asked.catch(() => ahead.delete(next));
          ahead.set(next, asked);
        }, () => {});
      }
      return found;
    },
  };
}
