// Elements and words for the stepping component. Texts become text nodes, never markup.

export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((each) => each !== null && each !== ""));
  return made;
}

export const thousands = (number) => String(number).replace(/\B(?=(\d{3})+(?!\d))/g, ",");

/** A length of time in its two largest units: `13 µs`, `2.5 s`, `6 min 5 s`, `4 d 23 h`. */
export function lasting(seconds) {
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 1) return `${Number((seconds * 1e3).toFixed(1))} ms`;
  if (seconds < 60) return `${Number(seconds.toFixed(1))} s`;
  const all = Math.round(seconds);
  const parts = [[Math.floor(all / 86400), "d"], [Math.floor(all / 3600) % 24, "h"], [Math.floor(all / 60) % 60, "min"], [all % 60, "s"]];
  return parts.slice(parts.findIndex(([amount]) => amount)).slice(0, 2).filter(([amount]) => amount).map(([amount, unit]) => `${amount} ${unit}`).join(" ");
}

/** `[2001:db8::1]:80` as address and port; the port is "" where there is none. */
export function parted(endpoint) {
  const found = /^\[(.*)\]:(\d+)$/.exec(endpoint) ?? /^([^:]*):(\d+)$/.exec(endpoint);
  return found ? [found[1], found[2]] : [endpoint, ""];
}

/** An address as people call it: the host's name, or the interface's (`eni`) where it is one. */
export const called = (address, hosts, eni = "") => (Object.hasOwn(hosts, address) ? hosts[address] : eni || address);

/** An endpoint as people call it: the host's name and the port, where the address has a name. */
export function named(endpoint, hosts) {
  const [address, port] = parted(endpoint);
  if (!Object.hasOwn(hosts, address)) return endpoint;
  return port ? `${hosts[address]}:${port}` : hosts[address];
}

export const differs = (row) => new Set(row.verdicts.map(([verdict]) => verdict)).size > 1;

/** What a learner can say of a verdict. */
export const CHOICES = ["ALLOW", "DENY", "neither"];
export const choiceOf = (verdict) => (verdict === "ALLOW" || verdict === "DENY" ? verdict : "neither");
