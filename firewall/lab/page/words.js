// Texts and elements. Everything is written with textContent: nothing of a capture, a rule or a lesson becomes markup.

// `{name}` filled in; a number with commas.
export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (Object.hasOwn(values, name) ? worded(values[name]) : whole));
}

export function worded(value) {
  return typeof value === "number" ? String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ",") : String(value);
}

// An element with attributes and children; text children are text.
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// A button that calls `act`.
export function button(text, act, attributes = {}) {
  const made = element("button", { type: "button", class: "button", ...attributes }, text);
  made.addEventListener("click", act);
  return made;
}

// Text as base64url (RFC 4648 section 5) of its UTF-8, for a link; and back, null for what is none.
export function packed(text) {
  const bytes = new TextEncoder().encode(text);
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

export function unpacked(word) {
  try {
    const binary = atob(word.replace(/-/g, "+").replace(/_/g, "/"));
    return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(binary, (letter) => letter.charCodeAt(0)));
  } catch {
    return null;
  }
}
